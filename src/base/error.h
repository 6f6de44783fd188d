// Errors in three families.
//
// UsageError: the caller's mistake (a configuration, a shape, a command line). The message says who, what was
// expected, what came and what to do. IoError: the world's fault (files, devices); it names the path and the
// reason. Our own mistakes are assertions. Nothing here prints or exits: only cli/main.cpp turns an error into
// one line on stderr and an exit code (2 for usage, 1 for everything else).
#pragma once

#include <cassert>
#include <filesystem>
#include <sstream>
#include <stdexcept>
#include <string>

namespace memlayers::base {

class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class UsageError : public Error {
 public:
  using Error::Error;
};

class IoError : public Error {
 public:
  IoError(const std::filesystem::path& path, const std::string& reason)
      : Error(path.string() + ": " + reason), path_(path) {}

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// All parts written one after another with operator<<.
template <class... Parts>
std::string concat(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

/// Throws UsageError with the concatenated parts unless `condition` holds.
template <class... Parts>
void check(bool condition, const Parts&... parts) {
  if (!condition) [[unlikely]]
    throw UsageError(concat(parts...));
}

}  // namespace memlayers::base
