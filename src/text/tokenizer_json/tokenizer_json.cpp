#include "text/tokenizer_json/tokenizer_json.h"

#include <algorithm>

#include "base/file.h"
#include "base/utf8.h"
#include "text/tokenizer_files.h"

namespace memlayers::text {
namespace {

namespace fs = std::filesystem;

// What goes along with a tokenizer: special tokens by role, and how chats are written down.
constexpr const char* kSpecialTokensFile = "special_tokens_map.json";
constexpr const char* kChatTemplateFile = "chat_template.jinja";

/// "bos_token": a text, or an object with it as its content.
std::string named_token(const Json& config, const char* key) {
  const auto field = config.find(key);
  if (field == config.end()) return {};
  if (field->is_string()) return field->get<std::string>();
  if (!field->is_object()) return {};
  return text_of(*field, "content", "", kTokenizerConfigFile);
}

const Json& part_of(const Json& document, const char* key) {
  static const Json kNone;
  const auto part = document.find(key);
  return part == document.end() ? kNone : *part;
}

}  // namespace

TokenizerJson::TokenizerJson(std::string content, std::map<std::string, std::string> beside)
    : content_(std::move(content)), beside_(std::move(beside)), config_(Json::object()) {
  const Json document = parse_document(content_);
  require(document.is_object(), "it is not an object");
  const std::string version = text_of(document, "version", "1.0", "the file");
  require(version == "1.0", "version \"", version.substr(0, 40), "\" is not supported, expected \"1.0\"");
  require(document.contains("model"), "it has no model");
  model_ = std::make_unique<Bpe>(document["model"]);
  normalizer_ = Normalizer(part_of(document, "normalizer"));
  added_ = AddedTokens(part_of(document, "added_tokens"), normalizer_);
  pre_tokenizer_ = PreTokenizer(part_of(document, "pre_tokenizer"));
  template_ = template_of(part_of(document, "post_processor"));
  decoder_ = Decoder(part_of(document, "decoder"));
  size_ = model_->size();
  for (const AddedToken& token : added_.all()) size_ = std::max(size_, token.id + 1);
  check_ids();
  read_document_ends();
}

void TokenizerJson::check_ids() const {
  const auto most = static_cast<int64_t>(model_->size()) + static_cast<int64_t>(added_.all().size()) + 65536;
  for (const AddedToken& token : added_.all()) {
    const int32_t known = model_->id_of(token.content);
    const bool clashes = known >= 0 ? known != token.id : model_->has(token.id);
    require(!clashes, "added_tokens: \"", token.content.substr(0, 40), "\" has the id ", token.id,
            known >= 0 ? ", and another one in the vocab" : ", which another token of the vocab has");
    require(token.id < most, "added_tokens: the id ", token.id, " is far beyond the vocabulary");
  }
  for (const auto* ids : {&template_.before, &template_.after}) {
    for (const int32_t id : *ids)
      require(id < size_, "post_processor: the id ", id, " is outside of the vocabulary of ", size_);
  }
}

void TokenizerJson::read_document_ends() {
  if (const auto file = beside_.find(kTokenizerConfigFile); file != beside_.end()) {
    config_ = parse_document(file->second);
    require(config_.is_object(), kTokenizerConfigFile, ": it is not an object");
  }
  Json roles = Json::object();
  if (const auto file = beside_.find(kSpecialTokensFile); file != beside_.end()) roles = parse_document(file->second);
  const auto named = [&](const char* key) {
    for (const Json* source : {&config_, &roles}) {
      const std::string token = source->is_object() ? named_token(*source, key) : "";
      if (!token.empty()) return id_of(token);
    }
    return -1;
  };
  bos_ = named("bos_token");
  eos_ = named("eos_token");
  if (bos_ < 0 && !template_.before.empty()) bos_ = template_.before[0];
  if (bos_ < 0) bos_ = eos_;
}

int32_t TokenizerJson::id_of(const std::string& token) const {
  for (const AddedToken& added : added_.all()) {
    if (added.content == token) return added.id;
  }
  return model_->id_of(token);
}

std::vector<int32_t> TokenizerJson::before_text() const {
  if (!template_.before.empty()) return template_.before;
  // What this program trained reads documents that begin so; save() says it.
  const auto adds = config_.find("add_bos_token");
  if (adds != config_.end() && adds->is_boolean() && adds->get<bool>() && bos_ >= 0) return {bos_};
  return {};
}

std::vector<int32_t> TokenizerJson::encode_text(const std::string& text, bool continued) const {
  std::vector<int32_t> ids;
  bool first = true;
  for (AddedTokens::Stretch& stretch : added_.cut(text, continued)) {
    if (stretch.token != nullptr) {
      ids.push_back(stretch.token->id);
    } else {
      const PreTokenizer::Place place{stretch.at_beginning, continued && first};
      for (const std::string& piece : pre_tokenizer_.cut(std::move(stretch.text), place)) model_->append(piece, ids);
    }
    first = false;
  }
  return ids;
}

std::vector<int32_t> TokenizerJson::encode(const std::string& text) const {
  if (base::is_utf8(text)) return encode_text(text, false);
  std::string repaired = text;
  base::repair_utf8(repaired);
  return encode_text(repaired, false);
}

std::vector<int32_t> TokenizerJson::encode_continuation(const std::string& text) const {
  std::string repaired = text;
  base::repair_utf8(repaired);
  return encode_text(repaired, true);
}

std::string TokenizerJson::decode(const std::vector<int32_t>& ids, bool with_special) const {
  std::vector<std::string> tokens;
  for (const int32_t id : ids) {
    if (const AddedToken* added = added_.find(id)) {
      if (with_special || !added->special) tokens.push_back(added->content);
    } else if (model_->has(id)) {
      tokens.push_back(model_->token(id));
    }
  }
  return decoder_.apply(std::move(tokens));
}

std::string TokenizerJson::piece(int32_t id) const {
  if (const AddedToken* added = added_.find(id)) return added->content;
  return model_->has(id) ? model_->token(id) : "";
}

void TokenizerJson::save(const fs::path& folder) const {
  base::write_text_atomically(folder / kTokenizerJsonFile, content_);
  nlohmann::ordered_json config = nlohmann::ordered_json::object();
  if (const auto file = beside_.find(kTokenizerConfigFile); file != beside_.end())
    config = nlohmann::ordered_json::parse(file->second);
  // Documents of this program begin with it, whether or not the template puts it there.
  config["add_bos_token"] = true;
  base::write_text_atomically(folder / kTokenizerConfigFile, config.dump(2) + "\n");
  for (const auto& [name, text] : beside_) {
    if (name != kTokenizerConfigFile) base::write_text_atomically(folder / name, text);
  }
}

std::shared_ptr<const Tokenizer> load_tokenizer_json(const fs::path& file) {
  std::map<std::string, std::string> beside;
  for (const char* name : {kTokenizerConfigFile, kSpecialTokensFile, kChatTemplateFile}) {
    const fs::path path = file.parent_path() / name;
    if (fs::exists(path)) beside[name] = base::read_text(path);
  }
  try {
    return std::make_shared<TokenizerJson>(base::read_text(file), std::move(beside));
  } catch (const FormatError& error) {
    throw base::IoError(file, base::concat("not a tokenizer that can be used: ", error.what()));
  }
}

}  // namespace memlayers::text
