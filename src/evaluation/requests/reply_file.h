// Replies on disk as JSON lines, appended as they come, so that asking can be stopped and continued.
//
// The first line, the head, says of whom and how was asked ({"model": "...", "max_new_tokens": 24}); each other line is
// a request, named by "id" and "prompt", and its reply.
#pragma once

#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

namespace memlayers::evaluation {

class ReplyFile {
 public:
  /// Opens for appending, after reading what is there. A line cut short at the end (a killed writer) is dropped. Throws
  /// UsageError when the file has another head, IoError naming the line for any other damage.
  ReplyFile(const std::filesystem::path& path, const nlohmann::ordered_json& head);

  /// The stored line of this very request, or null. Throws UsageError when the id was another request.
  const nlohmann::ordered_json* find(int64_t id, const std::string& prompt) const;
  /// Appends and flushes; `line` has the keys "id" and "prompt". Throws IoError (disk full).
  void append(const nlohmann::ordered_json& line);
  /// For a line that find() gave and that lacks something. Throws IoError naming it.
  [[noreturn]] void fail_damaged(int64_t id) const;

 private:
  struct Stored {
    nlohmann::ordered_json line;
    size_t number = 0;
  };
  void read(const std::string& head);
  void write(const std::string& line);

  std::filesystem::path path_;
  std::map<int64_t, Stored> stored_;
  std::ofstream out_;
};

}  // namespace memlayers::evaluation
