#include "text/tokenizer_json/bpe.h"

#include <algorithm>
#include <cstdio>
#include <queue>

#include "base/log.h"
#include "base/utf8.h"
#include "text/tokenizer_json/characters.h"

namespace memlayers::text {
namespace {

constexpr const char* kWhat = "model";
constexpr size_t kFew = 48;  // symbols up to which looking at all pairs is faster than a heap
constexpr size_t kMemorySlots = 1 << 14;
constexpr size_t kLongestRemembered = 64;  // bytes

std::string shown(const std::string& token) {
  return "\"" + token.substr(0, base::character_boundary(token, 40)) + "\"";
}

uint64_t key_of(int32_t left, int32_t right) {
  return (static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right)) + 1;  // never 0
}

}  // namespace

struct Bpe::Memory {
  struct Entry {
    std::string piece;
    std::vector<int32_t> ids;
  };
  std::mutex mutex;
  std::vector<Entry> entries = std::vector<Entry>(kMemorySlots);
};

void Bpe::Merges::reserve(size_t count) {
  size_t size = 16;
  while (size < 2 * count) size *= 2;
  slots_.assign(size, {});
  mask_ = size - 1;
}

size_t Bpe::Merges::place_of(uint64_t key) const {
  size_t place = (key * 0x9E3779B97F4A7C15ull >> 32) & mask_;
  while (slots_[place].key != 0 && slots_[place].key != key) place = (place + 1) & mask_;
  return place;
}

void Bpe::Merges::set(int32_t left, int32_t right, Merge merge) {
  const uint64_t key = key_of(left, right);
  slots_[place_of(key)] = {key, merge};
}

Bpe::Merge Bpe::Merges::find(int32_t left, int32_t right) const {
  const Slot& slot = slots_[place_of(key_of(left, right))];
  return slot.key == 0 ? Merge() : slot.merge;
}

Bpe::Bpe(const Json& model) : memory_(std::make_shared<Memory>()) {
  require(model.is_object(), "it has no model");
  // Files from before there were other models do not name theirs.
  const std::string type = text_of(model, "type", "BPE", kWhat);
  if (type != "BPE") throw_unknown(kWhat, type);
  prefix_ = text_of(model, "continuing_subword_prefix", "", kWhat);
  suffix_ = text_of(model, "end_of_word_suffix", "", kWhat);
  fuse_unknown_ = flag_of(model, "fuse_unk", false, kWhat);
  byte_fallback_ = flag_of(model, "byte_fallback", false, kWhat);
  ignore_merges_ = flag_of(model, "ignore_merges", false, kWhat);
  const auto dropout = model.find("dropout");
  if (dropout != model.end() && !dropout->is_null() && *dropout != 0)
    base::log_warning("the tokenizer's merges are to be left out at random (dropout); here none is");
  read_vocabulary(model);
  read_merges(model);
  const std::string unknown = text_of(model, "unk_token", "", kWhat);
  unknown_ = unknown.empty() ? -1 : id_of(unknown);
  require(unknown.empty() || unknown_ >= 0, kWhat, ": the unk_token ", shown(unknown), " is not in the vocab");
  for (int byte = 0; byte < 256; ++byte) {
    std::array<char, 8> name;
    std::snprintf(name.data(), name.size(), "<0x%02X>", byte);
    bytes_[byte] = byte_fallback_ ? id_of(name.data()) : -1;
  }
}

void Bpe::read_vocabulary(const Json& model) {
  const auto vocab = model.find("vocab");
  require(vocab != model.end() && vocab->is_object(), kWhat, ": vocab is not an object of tokens and ids");
  require(!vocab->empty(), kWhat, ": the vocab is empty");
  // Ids may leave gaps, which cost memory: a file of a few kilobytes must not ask for gigabytes.
  const auto most = static_cast<int64_t>(2 * vocab->size() + 65536);
  for (const auto& [token, id] : vocab->items()) {
    require(id.is_number_integer() && id.dump().size() <= 18 && id.get<int64_t>() >= 0, kWhat, ": the id of ",
            shown(token), " is ", id.dump().substr(0, 40), ", expected a whole number from 0 on");
    require(id.get<int64_t>() < most, kWhat, ": the id of ", shown(token), " is ", id.dump(),
            ", far beyond a vocab of ", vocab->size());
    const auto place = id.get<size_t>();
    if (place >= tokens_.size()) {
      tokens_.resize(place + 1);
      known_.resize(place + 1);
    }
    require(!known_[place], kWhat, ": ", shown(tokens_[place]), " and ", shown(token), " have the same id, ", place);
    tokens_[place] = token;
    known_[place] = true;
    vocabulary_.emplace(token, static_cast<int32_t>(place));
  }
}

void Bpe::read_merges(const Json& model) {
  const Json& merges = list_of(model, "merges", kWhat);
  merges_.reserve(merges.size());
  int32_t rank = 0;
  for (const Json& merge : merges) {
    if (merge.is_string()) {
      const auto text = merge.get<std::string>();
      const size_t space = text.find(' ');
      require(space != std::string::npos && text.find(' ', space + 1) == std::string::npos, kWhat, ": the merge ",
              shown(text), " (number ", rank, ") is not two tokens with a space between");
      add_merge(text.substr(0, space), text.substr(space + 1), rank);
    } else {
      require(merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string(), kWhat,
              ": merge number ", rank, " is not a pair of tokens");
      add_merge(merge[0].get<std::string>(), merge[1].get<std::string>(), rank);
    }
    ++rank;
  }
}

void Bpe::add_merge(const std::string& left, const std::string& right, int32_t rank) {
  const auto known = [&](const std::string& token) {
    const int32_t id = id_of(token);
    require(id >= 0, kWhat, ": merge number ", rank, " of ", shown(left), " and ", shown(right), ": ", shown(token),
            " is not in the vocab");
    return id;
  };
  const int32_t left_id = known(left), right_id = known(right);
  const std::string rest = right.starts_with(prefix_) ? right.substr(prefix_.size()) : right;
  merges_.set(left_id, right_id, {rank, known(left + rest)});
}

int32_t Bpe::id_of(std::string_view token) const {
  const auto found = vocabulary_.find(token);
  return found == vocabulary_.end() ? -1 : found->second;
}

bool Bpe::append_bytes(std::string_view character, std::vector<int32_t>& ids) const {
  const auto has_id = [&](char byte) { return bytes_[static_cast<unsigned char>(byte)] >= 0; };
  if (!byte_fallback_ || !std::all_of(character.begin(), character.end(), has_id)) return false;
  for (const char byte : character) ids.push_back(bytes_[static_cast<unsigned char>(byte)]);
  return true;
}

// Its characters, those that the vocabulary lacks as bytes or as the unknown token.
std::vector<int32_t> Bpe::symbols_of(std::string_view piece) const {
  std::vector<int32_t> ids;
  ids.reserve(piece.size());
  bool unknown_before = false;
  std::string marked;
  for (size_t at = 0; at < piece.size();) {
    const std::string_view character = piece.substr(at, first_character(piece.substr(at)).bytes);
    std::string_view symbol = character;
    if (!prefix_.empty() || !suffix_.empty()) {
      marked = at > 0 ? prefix_ : "";
      marked += character;
      if (at + character.size() == piece.size()) marked += suffix_;
      symbol = marked;
    }
    at += character.size();
    const int32_t id = id_of(symbol);
    const bool known = id >= 0;
    if (known) ids.push_back(id);
    if (known || append_bytes(symbol, ids)) {
      unknown_before = false;
    } else if (unknown_ >= 0) {
      if (!unknown_before || !fuse_unknown_) ids.push_back(unknown_);
      unknown_before = true;
    }
  }
  return ids;
}

void Bpe::merge_few(std::vector<int32_t>& ids) const {
  size_t count = ids.size();
  std::array<Merge, kFew> with_next;
  for (size_t i = 0; i + 1 < count; ++i) with_next[i] = merges_.find(ids[i], ids[i + 1]);
  while (count > 1) {
    size_t best = count;
    for (size_t i = 0; i + 1 < count; ++i) {
      if (with_next[i].rank >= 0 && (best == count || with_next[i].rank < with_next[best].rank)) best = i;
    }
    if (best == count) break;
    ids[best] = with_next[best].id;
    std::copy(ids.begin() + static_cast<std::ptrdiff_t>(best) + 2, ids.begin() + static_cast<std::ptrdiff_t>(count),
              ids.begin() + static_cast<std::ptrdiff_t>(best) + 1);
    std::copy(with_next.begin() + best + 1, with_next.begin() + count, with_next.begin() + best);
    --count;
    if (best + 1 < count) with_next[best] = merges_.find(ids[best], ids[best + 1]);
    if (best > 0) with_next[best - 1] = merges_.find(ids[best - 1], ids[best]);
  }
  ids.resize(count);
}

// A list of symbols and a heap of the pairs in it; what a merge makes stale is noticed when it comes up.
void Bpe::merge_many(std::vector<int32_t>& ids) const {
  struct Symbol {
    int32_t id;
    int64_t before, after;
    bool gone = false;
  };
  struct Candidate {
    int32_t rank;
    int64_t place;
    int32_t left, right, id;
    bool operator<(const Candidate& other) const {  // the heap's top is its largest
      return rank != other.rank ? rank > other.rank : place > other.place;
    }
  };
  const auto count = static_cast<int64_t>(ids.size());
  std::vector<Symbol> symbols;
  symbols.reserve(ids.size());
  for (int64_t i = 0; i < count; ++i)
    symbols.push_back({ids[static_cast<size_t>(i)], i - 1, i + 1 < count ? i + 1 : -1});
  std::priority_queue<Candidate> heap;
  const auto consider = [&](int64_t place) {
    if (place < 0 || symbols[place].after < 0) return;
    const int32_t left = symbols[place].id, right = symbols[symbols[place].after].id;
    const Merge merge = merges_.find(left, right);
    if (merge.rank >= 0) heap.push({merge.rank, place, left, right, merge.id});
  };
  for (int64_t i = 0; i < count; ++i) consider(i);
  while (!heap.empty()) {
    const Candidate best = heap.top();
    heap.pop();
    Symbol& left = symbols[best.place];
    if (left.gone || left.id != best.left || left.after < 0 || symbols[left.after].id != best.right) continue;
    Symbol& right = symbols[left.after];
    left.id = best.id;
    left.after = right.after;
    right.gone = true;
    if (left.after >= 0) symbols[left.after].before = best.place;
    consider(left.before);
    consider(best.place);
  }
  ids.clear();
  for (int64_t i = symbols.empty() ? -1 : 0; i >= 0; i = symbols[i].after) ids.push_back(symbols[i].id);
}

std::vector<int32_t> Bpe::encode(std::string_view piece) const {
  if (ignore_merges_) {
    if (const int32_t id = id_of(piece); id >= 0) return {id};
  }
  std::vector<int32_t> ids = symbols_of(piece);
  ids.size() <= kFew ? merge_few(ids) : merge_many(ids);
  return ids;
}

void Bpe::append(std::string_view piece, std::vector<int32_t>& ids) const {
  if (piece.size() > kLongestRemembered) {
    const std::vector<int32_t> own = encode(piece);
    ids.insert(ids.end(), own.begin(), own.end());
    return;
  }
  Memory::Entry& entry = memory_->entries[Hash()(piece) % kMemorySlots];
  {
    const std::lock_guard lock(memory_->mutex);
    if (entry.piece == piece) {
      ids.insert(ids.end(), entry.ids.begin(), entry.ids.end());
      return;
    }
  }
  std::vector<int32_t> own = encode(piece);
  ids.insert(ids.end(), own.begin(), own.end());
  const std::lock_guard lock(memory_->mutex);
  entry.piece = piece;
  entry.ids = std::move(own);
}

}  // namespace memlayers::text
