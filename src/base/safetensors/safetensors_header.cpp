#include "base/safetensors/safetensors_header.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "base/error.h"

namespace memlayers::base {
namespace {

struct DtypeRow {
  Dtype dtype;
  const char* name;
  size_t bytes;
};
constexpr DtypeRow kDtypes[] = {
    {Dtype::kBool, "BOOL", 1}, {Dtype::kU8, "U8", 1},   {Dtype::kI8, "I8", 1},     {Dtype::kI16, "I16", 2},
    {Dtype::kU16, "U16", 2},   {Dtype::kI32, "I32", 4}, {Dtype::kU32, "U32", 4},   {Dtype::kI64, "I64", 8},
    {Dtype::kU64, "U64", 8},   {Dtype::kF16, "F16", 2}, {Dtype::kBF16, "BF16", 2}, {Dtype::kF32, "F32", 4},
    {Dtype::kF64, "F64", 8},
};

const DtypeRow& row_of(Dtype dtype) {
  for (const DtypeRow& row : kDtypes) {
    if (row.dtype == dtype) return row;
  }
  assert(false && "a dtype without a row");
  return kDtypes[0];
}

/// Follows the one nesting a header may have; every other event is refused. Events rather than a document, because
/// a document would silently keep one of two equal names.
class HeaderEvents : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit HeaderEvents(const fs::path& path) : path_(path) {}
  SafetensorsHeader take() { return std::move(header_); }

  bool start_object(size_t) override {
    if (place_ == Place::kDocument) return move_to(Place::kTop);
    if (place_ == Place::kTop) return move_to(in_metadata_ ? Place::kMetadata : Place::kEntry);
    fail_value("an object");
  }

  bool end_object() override {
    if (place_ == Place::kEntry) finish_entry();
    return move_to(place_ == Place::kTop ? Place::kDocument : Place::kTop);
  }

  bool start_array(size_t) override {
    if (place_ == Place::kEntry && field_ == Field::kShape) return move_to(Place::kShape);
    if (place_ == Place::kEntry && field_ == Field::kOffsets) return move_to(Place::kOffsets);
    fail_value("a list");
  }

  bool end_array() override {
    if (place_ == Place::kOffsets && offsets_.size() != 2) fail_entry("data_offsets must hold two numbers");
    return move_to(Place::kEntry);
  }

  bool key(std::string& name) override {
    if (place_ == Place::kTop) {
      begin_item(name);
    } else if (place_ == Place::kMetadata) {
      metadata_key_ = name;
      if (header_.metadata.contains(name)) fail("duplicate metadata key " + shown_name(name));
    } else {
      begin_field(name);
    }
    return true;
  }

  bool string(std::string& value) override {
    if (place_ == Place::kMetadata) {
      header_.metadata.emplace(metadata_key_, value);
      return true;
    }
    if (place_ != Place::kEntry || field_ != Field::kDtype) fail_value("a text");
    for (const DtypeRow& row : kDtypes) {
      if (value == row.name) {
        entry_.dtype = row.dtype;
        return true;
      }
    }
    fail_entry("unknown dtype " + shown_name(value));
  }

  bool number_unsigned(uint64_t value) override {
    if (place_ == Place::kShape) {
      if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) fail_entry("a dimension is too large");
      entry_.shape.push_back(static_cast<int64_t>(value));
      return true;
    }
    if (place_ != Place::kOffsets) fail_value("a number");
    if (offsets_.size() == 2) fail_entry("data_offsets must hold two numbers");
    offsets_.push_back(value);
    return true;
  }

  bool number_integer(int64_t value) override {
    if (value >= 0) return number_unsigned(static_cast<uint64_t>(value));
    if (place_ == Place::kShape) fail_entry(concat("negative dimension ", value));
    if (place_ == Place::kOffsets) fail_entry(concat("negative offset ", value));
    fail_value("a number");
  }

  bool number_float(double, const std::string&) override { fail_value("a number that is not whole or too large"); }
  bool null() override { fail_value("null"); }
  bool boolean(bool) override { fail_value("a boolean"); }
  bool binary(nlohmann::json::binary_t&) override { fail_value("binary data"); }
  bool parse_error(size_t position, const std::string&, const nlohmann::json::exception&) override {
    fail(concat("the header is not valid JSON (at its byte ", position, ")"));
  }

 private:
  enum class Place { kDocument, kTop, kMetadata, kEntry, kShape, kOffsets };
  enum class Field { kNone, kDtype, kShape, kOffsets };
  static constexpr const char* kFieldNames[] = {"", "dtype", "shape", "data_offsets"};

  bool move_to(Place place) {
    place_ = place;
    return true;
  }

  void begin_item(const std::string& name) {
    if (!names_.insert(name).second) fail("duplicate name " + shown_name(name));
    in_metadata_ = name == "__metadata__";
    entry_ = {};
    entry_.name = name;
    offsets_.clear();
    field_ = Field::kNone;
    std::fill(std::begin(seen_), std::end(seen_), false);
  }

  void begin_field(const std::string& name) {
    for (const Field field : {Field::kDtype, Field::kShape, Field::kOffsets}) {
      const auto index = static_cast<size_t>(field);
      if (name != kFieldNames[index]) continue;
      if (seen_[index]) fail_entry("duplicate key " + name);
      seen_[index] = true;
      field_ = field;
      return;
    }
    fail_entry("unknown key " + shown_name(name));
  }

  void finish_entry() {
    for (const Field field : {Field::kDtype, Field::kShape, Field::kOffsets}) {
      const auto index = static_cast<size_t>(field);
      if (!seen_[index]) fail_entry(concat("no ", kFieldNames[index]));
    }
    entry_.begin = offsets_[0];
    entry_.end = offsets_[1];
    if (entry_.begin > entry_.end) fail_entry("data_offsets end before they begin");
    header_.entries.push_back(std::move(entry_));
  }

  [[noreturn]] void fail(const std::string& reason) const { throw IoError(path_, reason); }
  [[noreturn]] void fail_entry(const std::string& reason) const {
    fail("tensor " + shown_name(entry_.name) + ": " + reason);
  }
  [[noreturn]] void fail_value(const char* got) const {
    if (place_ == Place::kDocument) fail(concat("the header must be an object, not ", got));
    if (place_ == Place::kMetadata) fail(concat("metadata ", shown_name(metadata_key_), " must be a text, not ", got));
    if (place_ == Place::kTop) fail(concat(shown_name(entry_.name), " must be an object, not ", got));
    fail_entry(concat(kFieldNames[static_cast<size_t>(field_)], " holds ", got));
  }

  const fs::path& path_;
  SafetensorsHeader header_;
  Place place_ = Place::kDocument;
  std::unordered_set<std::string> names_;
  bool in_metadata_ = false;
  std::string metadata_key_;
  SafetensorsEntry entry_;
  std::vector<uint64_t> offsets_;
  Field field_ = Field::kNone;
  bool seen_[4] = {};
};

}  // namespace

size_t dtype_bytes(Dtype dtype) { return row_of(dtype).bytes; }

std::string dtype_name(Dtype dtype) { return row_of(dtype).name; }

std::optional<uint64_t> tensor_bytes(Dtype dtype, const std::vector<int64_t>& shape) {
  std::optional<uint64_t> bytes = dtype_bytes(dtype);
  for (const int64_t size : shape) {
    bytes = size < 0 ? std::nullopt : checked_multiply(*bytes, static_cast<uint64_t>(size));
    if (!bytes) return std::nullopt;
  }
  return bytes;
}

std::string shown_name(const std::string& name) {
  constexpr size_t kLongest = 120;
  const bool cut = name.size() > kLongest;
  const nlohmann::json text = cut ? name.substr(0, kLongest) + "..." : name;
  return text.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

SafetensorsHeader parse_safetensors_header(std::string_view json, const fs::path& path) {
  if (json.empty() || json.front() != '{') throw IoError(path, "the header does not begin with {");
  // The JSON parser takes a NUL for the end of its input and would never look at what follows.
  if (json.find('\0') != json.npos) throw IoError(path, "the header is not valid JSON (it holds a NUL byte)");
  HeaderEvents events(path);
  nlohmann::json::sax_parse(json.begin(), json.end(), &events);
  return events.take();
}

void check_safetensors_layout(const SafetensorsHeader& header, uint64_t buffer_bytes, const fs::path& path) {
  std::vector<const SafetensorsEntry*> order;
  for (const SafetensorsEntry& entry : header.entries) {
    const auto fail = [&](const std::string& reason) {
      throw IoError(path, "tensor " + shown_name(entry.name) + ": " + reason);
    };
    const std::optional<uint64_t> bytes = tensor_bytes(entry.dtype, entry.shape);
    if (!bytes) fail("its size overflows 64 bits");
    if (entry.end > buffer_bytes) {
      fail(concat("ends at byte ", entry.end, " of ", buffer_bytes, " (is the file truncated?)"));
    }
    if (entry.end - entry.begin != *bytes) {
      fail(concat("data_offsets span ", entry.end - entry.begin, " bytes, dtype and shape need ", *bytes));
    }
    order.push_back(&entry);
  }
  std::sort(order.begin(), order.end(), [](const SafetensorsEntry* a, const SafetensorsEntry* b) {
    return std::pair(a->begin, a->end) < std::pair(b->begin, b->end);
  });
  uint64_t filled = 0;
  for (const SafetensorsEntry* entry : order) {
    if (entry->begin != filled) {
      const char* what = entry->begin < filled ? " overlaps the tensor before it" : " leaves a hole before it";
      throw IoError(path, "tensor " + shown_name(entry->name) + what);
    }
    filled = entry->end;
  }
  if (filled != buffer_bytes) {
    throw IoError(path, concat("the tensors end at byte ", filled, ", but ", buffer_bytes, " bytes follow the header"));
  }
}

std::string safetensors_header_text(const std::vector<SafetensorsEntry>& entries,
                                    const std::map<std::string, std::string>& metadata) {
  std::string text;
  try {
    text = "{\"__metadata__\":" + nlohmann::json(metadata).dump();
    for (const SafetensorsEntry& entry : entries) {
      text += "," + nlohmann::json(entry.name).dump() + ":{\"dtype\":\"" + dtype_name(entry.dtype) +
              "\",\"shape\":" + nlohmann::json(entry.shape).dump() + ",\"data_offsets\":[" +
              std::to_string(entry.begin) + "," + std::to_string(entry.end) + "]}";
    }
  } catch (const nlohmann::json::exception&) {
    throw UsageError("write_safetensors: a tensor name or a metadata text is not UTF-8");
  }
  text += "}";
  text.append((8 - text.size() % 8) % 8, ' ');
  return text;
}

}  // namespace memlayers::base
