// What the commands share in reading their command lines.
#pragma once

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <optional>
#include <vector>

#include "base/error.h"
#include "base/utf8.h"

namespace memlayers::cli {

/// Parses `argv` (argv[0] is the command's name). Returns the status to return at once after --help was printed,
/// nothing when the command is to run. Throws base::UsageError with the reason for anything CLI11 does not accept, and
/// for names that are not UTF-8; the options in `texts` are no names and taken byte for byte.
inline std::optional<int> parse_command_line(CLI::App& app, int argc, char** argv,
                                             const std::vector<const CLI::Option*>& texts = {}) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    std::cout << app.help() << std::flush;
    return 0;
  } catch (const CLI::ParseError& error) {
    throw base::UsageError(base::concat(error.what(), " (see memlayers ", argv[0], " --help)"));
  }
  for (const CLI::Option* option : app.get_options()) {
    if (std::find(texts.begin(), texts.end(), option) != texts.end()) continue;
    for (const std::string& value : option->results()) base::check_name(option->get_name(), value);
  }
  return std::nullopt;
}

}  // namespace memlayers::cli
