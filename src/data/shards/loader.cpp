#include "data/shards/loader.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "base/random.h"
#include "data/shards/prepared_data.h"

namespace memlayers::data {

using base::check;
using base::concat;
using base::RandomStream;
using nlohmann::json;

void LoaderConfig::validate() {
  check(seq_len >= 1, "data.seq_len: expected at least 1, got ", seq_len);
  check(batch_size >= 1, "data.batch_size: expected at least 1, got ", batch_size);
  check(seq_len < (int64_t{1} << 31) && batch_size < (int64_t{1} << 31) / (seq_len + 1), "data: a batch of ",
        batch_size, " sequences of ", seq_len, " tokens is larger than 2^31 tokens");
  check(packing == "concatenate" || packing == "whole", "data.packing: expected concatenate or whole, got \"", packing,
        "\"");
  for (size_t i = 0; i < sources.size(); ++i) {
    check(!sources[i].path.empty(), "data.sources.", i, ".path: expected a folder written by `memlayers prepare`");
    check(std::isfinite(sources[i].weight) && sources[i].weight > 0, "data.sources.", i,
          ".weight: expected a number above 0, got ", sources[i].weight);
  }
}

namespace {

struct Source {
  PreparedSplit data;
  double weight_end;  // sum of the weights up to this source, of a total of 1
  uint64_t drawn = 0;
};

/// Where the next window begins: a document (as drawn) and a token of it.
struct Cursor {
  int64_t source = -1;  // -1: nothing is open
  int64_t document = 0, offset = 0, length = 0;
};

}  // namespace

struct Loader::State {
  LoaderConfig config;
  std::string split, fingerprint;
  std::vector<Source> sources;
  uint64_t draws = 0;
  Cursor cursor;
  int64_t tokens_drawn = 0, tokens_cropped = 0;

  void open_sources();
  void draw_document();
  void fill_window(std::span<int32_t> window);
  void leave_window();
};

void Loader::State::open_sources() {
  double total = 0, sum = 0;
  for (const SourceConfig& source : config.sources) total += source.weight;
  uint64_t hash = 0;
  for (const SourceConfig& source : config.sources) {
    sum += source.weight;
    sources.push_back({PreparedSplit(source.path, split), sum / total});
    const PreparedSplit& data = sources.back().data;
    check(data.tokenizer_hash() == sources.front().data.tokenizer_hash(), "data.sources: ", source.path, " and ",
          config.sources.front().path,
          " were prepared with different tokenizers; prepare one with the other's (tokenizer.kind=path tokenizer.path=",
          config.sources.front().path, ")");
    const uint64_t own = data.hash();
    hash = base::hash_bytes(&own, sizeof(own), hash);
  }
  fingerprint = base::hash_text(hash);
}

// A draw is a function of its number alone: which source, and with the number of that source's draws which document.
void Loader::State::draw_document() {
  const double point = RandomStream(config.seed, "loader mixture " + split, draws++).uniform();
  size_t index = 0;
  while (index + 1 < sources.size() && point >= sources[index].weight_end) ++index;
  Source& source = sources[index];
  const uint64_t documents = source.data.documents(), epoch = source.drawn / documents;
  RandomStream keys(config.seed, concat("loader order ", split, " ", index), epoch);
  const int64_t document = static_cast<int64_t>(base::permuted(source.drawn++ % documents, documents, keys.next()));
  cursor = {static_cast<int64_t>(index), document, 0, source.data.document_length(document)};
  tokens_drawn += cursor.length;
}

void Loader::State::fill_window(std::span<int32_t> window) {
  size_t filled = 0;
  while (filled < window.size()) {
    if (cursor.source < 0 || cursor.offset >= cursor.length) draw_document();
    const int64_t count =
        std::min<int64_t>(cursor.length - cursor.offset, static_cast<int64_t>(window.size() - filled));
    sources[cursor.source].data.read(cursor.document, cursor.offset, cursor.offset + count, window.data() + filled);
    cursor.offset += count;
    filled += count;
  }
}

void Loader::State::leave_window() {
  if (config.packing == "concatenate") {
    --cursor.offset;  // the last target is the next window's first input
  } else {
    tokens_cropped += cursor.length - cursor.offset;
    cursor = {};
  }
}

Loader::Loader(const LoaderConfig& config, const std::string& split) : state_(std::make_unique<State>()) {
  state_->config = config;
  state_->config.validate();
  check(!config.sources.empty(), "data.sources: expected at least one folder written by `memlayers prepare`");
  check(split == "train" || split == "validation", "Loader: expected the split train or validation, got ", split);
  state_->split = split;
  state_->open_sources();
}

Loader::~Loader() = default;

std::vector<int32_t> Loader::next() {
  State& s = *state_;
  const int64_t width = s.config.seq_len + 1;
  std::vector<int32_t> batch(s.config.batch_size * width);
  for (int64_t row = 0; row < s.config.batch_size; ++row) {
    s.fill_window(std::span(batch).subspan(row * width, width));
    s.leave_window();
  }
  return batch;
}

json Loader::state() const {
  const State& s = *state_;
  json drawn = json::array();
  for (const Source& source : s.sources) drawn.push_back(source.drawn);
  return {{"version", 1},
          {"split", s.split},
          {"seed", s.config.seed},
          {"packing", s.config.packing},
          {"fingerprint", s.fingerprint},
          {"draws", s.draws},
          {"drawn", drawn},
          {"cursor", {{"source", s.cursor.source}, {"document", s.cursor.document}, {"offset", s.cursor.offset}}},
          {"tokens_drawn", s.tokens_drawn},
          {"tokens_cropped", s.tokens_cropped}};
}

namespace {

/// One entry that a resumed loader must share with the saved one.
template <class T>
void check_same(const json& state, const char* key, const T& expected) {
  const T found = state.at(key).get<T>();
  check(found == expected, "Loader: the saved state has ", key, " ", found, ", this run has ", expected,
        "; resume with the data and settings of the first run, or start anew");
}

}  // namespace

void Loader::set_state(const json& saved, const std::filesystem::path& file) {
  State& s = *state_;
  const auto sound = [&](bool condition, const auto&... parts) {
    if (!condition) throw base::IoError(file, concat("the loader's saved state is damaged: ", parts...));
  };
  try {
    check_same(saved, "version", 1);
    check_same(saved, "split", s.split);
    check_same(saved, "seed", s.config.seed);
    check_same(saved, "packing", s.config.packing);
    check_same(saved, "fingerprint", s.fingerprint);
    const auto drawn = saved.at("drawn").get<std::vector<uint64_t>>();
    sound(drawn.size() == s.sources.size(), "it has ", drawn.size(), " sources, its data ", s.sources.size());
    Cursor cursor;
    const json& from = saved.at("cursor");
    cursor.source = from.at("source").get<int64_t>();
    if (cursor.source >= 0) {
      sound(cursor.source < static_cast<int64_t>(s.sources.size()), "it names source ", cursor.source);
      const PreparedSplit& data = s.sources[cursor.source].data;
      cursor.document = from.at("document").get<int64_t>();
      cursor.offset = from.at("offset").get<int64_t>();
      sound(cursor.document >= 0 && cursor.document < data.documents(), "it names document ", cursor.document);
      cursor.length = data.document_length(cursor.document);
      sound(cursor.offset >= 0 && cursor.offset <= cursor.length, "it names token ", cursor.offset);
    }
    const auto draws = saved.at("draws").get<uint64_t>();
    const auto tokens_drawn = saved.at("tokens_drawn").get<int64_t>(),
               tokens_cropped = saved.at("tokens_cropped").get<int64_t>();
    for (size_t i = 0; i < drawn.size(); ++i) s.sources[i].drawn = drawn[i];
    s.draws = draws;
    s.cursor = cursor;
    s.tokens_drawn = tokens_drawn;
    s.tokens_cropped = tokens_cropped;
  } catch (const json::exception& error) {
    sound(false, error.what());
  }
}

double Loader::cropped_share() const {
  return state_->tokens_drawn == 0
             ? 0.0
             : static_cast<double>(state_->tokens_cropped) / static_cast<double>(state_->tokens_drawn);
}

int64_t Loader::vocab_size() const { return state_->sources.front().data.vocab_size(); }
std::filesystem::path Loader::tokenizer_folder() const { return state_->config.sources.front().path; }
std::string Loader::fingerprint() const { return state_->fingerprint; }

int64_t Loader::epoch_tokens() const {
  int64_t tokens = 0;
  for (const Source& source : state_->sources) tokens += source.data.tokens();
  return tokens;
}

double Loader::expected_passes(size_t source, int64_t tokens) const {
  double mean_length = 0, begin = 0, share = 0;  // of a document drawn; of the draws from `source`
  for (size_t i = 0; i < state_->sources.size(); ++i) {
    const Source& each = state_->sources[i];
    const double drawn = each.weight_end - begin;
    mean_length += drawn * static_cast<double>(each.data.tokens()) / static_cast<double>(each.data.documents());
    if (i == source) share = drawn;
    begin = each.weight_end;
  }
  return static_cast<double>(tokens) / mean_length * share /
         static_cast<double>(state_->sources.at(source).data.documents());
}

}  // namespace memlayers::data
