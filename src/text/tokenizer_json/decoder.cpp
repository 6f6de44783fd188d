#include "text/tokenizer_json/decoder.h"

#include "base/utf8.h"
#include "text/tokenizer_json/byte_level.h"
#include "text/tokenizer_json/characters.h"
#include "text/tokenizer_json/replacement.h"

namespace memlayers::text {
namespace {

constexpr const char* kWhat = "decoder";
constexpr const char* kReplacementCharacter = "\xEF\xBF\xBD";

using Tokens = std::vector<std::string>;

void fuse(Tokens& tokens) {
  std::string all;
  for (const std::string& token : tokens) all += token;
  tokens = {std::move(all)};
}

void from_byte_level(Tokens& tokens) {
  std::string bytes;
  for (const std::string& token : tokens) append_bytes_of(bytes, token);
  base::repair_utf8(bytes);
  tokens = {std::move(bytes)};
}

/// The byte that "<0x41>" names; -1: it is another token.
int byte_of(const std::string& token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return -1;
  int value = 0;
  for (const char digit : token.substr(3, 2)) {
    const bool decimal = digit >= '0' && digit <= '9', lower = digit >= 'a' && digit <= 'f';
    if (!decimal && !lower && !(digit >= 'A' && digit <= 'F')) return -1;
    value = value * 16 + (decimal ? digit - '0' : lower ? digit - 'a' + 10 : digit - 'A' + 10);
  }
  return value;
}

/// Runs of byte tokens as the text that they are, or where they are none, a replacement for every byte.
void from_byte_tokens(Tokens& tokens) {
  Tokens result;
  std::string run;
  const auto end_run = [&] {
    if (run.empty()) return;
    if (base::is_utf8(run)) {
      result.push_back(run);
    } else {
      for (size_t i = 0; i < run.size(); ++i) result.emplace_back(kReplacementCharacter);
    }
    run.clear();
  };
  for (std::string& token : tokens) {
    const int byte = byte_of(token);
    if (byte >= 0) {
      run += static_cast<char>(byte);
      continue;
    }
    end_run();
    result.push_back(std::move(token));
  }
  end_run();
  tokens = std::move(result);
}

std::string stripped(std::string token, const std::string& character, int64_t start, int64_t stop) {
  for (int64_t i = 0; i < start && token.starts_with(character); ++i) token.erase(0, character.size());
  for (int64_t i = 0; i < stop && token.ends_with(character); ++i) token.resize(token.size() - character.size());
  return token;
}

std::string replaced(const std::string& text, const std::string& what, const std::string& by) {
  std::string result;
  size_t done = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, done)) {
    result.append(text, done, at - done);
    result += by;
    done = at + what.size();
  }
  return result.append(text, done);
}

}  // namespace

Decoder::Decoder(const Json& component) {
  if (component.is_null()) return;
  between_.clear();
  add(component);
}

void Decoder::add(const Json& component) {
  const std::string type = type_of(component, kWhat);
  if (type == "Sequence") {
    for (const Json& part : list_of(component, "decoders", kWhat)) add(part);
  } else if (type == "ByteLevel") {
    steps_.emplace_back(from_byte_level);
  } else if (type == "ByteFallback") {
    steps_.emplace_back(from_byte_tokens);
  } else if (type == "Fuse") {
    steps_.emplace_back(fuse);
  } else if (type == "Replace") {
    steps_.emplace_back([replacement = Replacement(component, kWhat)](Tokens& tokens) {
      for (std::string& token : tokens) token = replacement.apply(token);
    });
  } else if (type == "Strip") {
    const std::string character = one_character(text_of(component, "content", " ", kWhat), "the content of Strip");
    steps_.emplace_back([character, start = number_of(component, "start", 0, kWhat),
                         stop = number_of(component, "stop", 0, kWhat)](Tokens& tokens) {
      for (std::string& token : tokens) token = stripped(std::move(token), character, start, stop);
    });
  } else if (type == "Metaspace") {
    const std::string mark = one_character(text_of(component, "replacement", "\xE2\x96\x81", kWhat), "the replacement");
    const bool always = flag_of(component, "add_prefix_space", true, kWhat);
    const bool prepended = text_of(component, "prepend_scheme", always ? "always" : "never", kWhat) != "never";
    steps_.emplace_back([mark, prepended](Tokens& tokens) {
      for (size_t i = 0; i < tokens.size(); ++i) tokens[i] = replaced(tokens[i], mark, i == 0 && prepended ? "" : " ");
    });
  } else if (type == "BPEDecoder") {
    const std::string suffix = text_of(component, "suffix", "</w>", kWhat);
    require(!suffix.empty(), kWhat, ": the suffix is empty");
    steps_.emplace_back([suffix](Tokens& tokens) {
      for (size_t i = 0; i < tokens.size(); ++i)
        tokens[i] = replaced(tokens[i], suffix, i + 1 == tokens.size() ? "" : " ");
    });
  } else {
    throw_unknown(kWhat, type);
  }
}

std::string Decoder::apply(std::vector<std::string> tokens) const {
  for (const Step& step : steps_) step(tokens);
  std::string text;
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (i > 0) text += between_;
    text += tokens[i];
  }
  return text;
}

}  // namespace memlayers::text
