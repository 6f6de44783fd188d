// JSON Lines: one object a line, parsed with simdjson, wholly checked (a damaged tail of a line is an error too).
//
// What Python's json reads is read: numbers of any size, NaN and Infinity, lone surrogates in strings (each becomes
// U+FFFD and is counted), several fields of one name (the last counts).
#pragma once

#include <optional>
#include <vector>

#include "base/error.h"
#include "data/sources/line_reader.h"

namespace memlayers::data {

/// One line is not what it should be; the lines after it can be read.
class BrokenLine : public base::IoError {
 public:
  using IoError::IoError;
};

class JsonLines {
 public:
  explicit JsonLines(const std::filesystem::path& path, size_t buffer_bytes = size_t{1} << 18);
  ~JsonLines();

  /// Steps to the next line that is not blank; false after the last. Throws BrokenLine "FILE:LINE: reason", after which
  /// the next call goes on with the line after, and IoError: the file itself cannot be read.
  bool next();

  // Fields of the current object. All throw BrokenLine "FILE:LINE: reason" when the field has another type.
  std::string text(const std::string& field) const;  // also when it is absent
  std::optional<std::string> optional_text(const std::string& field) const;
  std::optional<bool> optional_flag(const std::string& field) const;
  std::optional<int64_t> optional_integer(const std::string& field) const;
  /// A string or a list of strings, under the first of `fields` that is there; empty when none is.
  std::vector<std::string> texts(const std::vector<std::string>& fields) const;

  const LineReader& lines() const;
  /// Invalid UTF-8 sequences of the file and lone surrogates replaced by U+FFFD so far.
  int64_t replaced() const;
  [[noreturn]] void fail(const std::string& reason) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// True where the first line that is not blank is a JSON object. Throws IoError as JsonLines does.
bool begins_with_json_object(const std::filesystem::path& path);

}  // namespace memlayers::data
