// What the commands share in reading their command lines.
#pragma once

#include <CLI/CLI.hpp>
#include <iostream>
#include <optional>

#include "base/error.h"

namespace memlayers::cli {

/// Parses `argv` (argv[0] is the command's name). Returns the status to return at once after --help was printed, nothing
/// when the command is to run. Throws base::UsageError with the reason for anything CLI11 does not accept.
inline std::optional<int> parse_command_line(CLI::App& app, int argc, char** argv) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    std::cout << app.help() << std::flush;
    return 0;
  } catch (const CLI::ParseError& error) {
    throw base::UsageError(base::concat(error.what(), " (see memlayers ", argv[0], " --help)"));
  }
  return std::nullopt;
}

}  // namespace memlayers::cli
