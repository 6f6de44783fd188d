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

/// Ends an argument that begins with a bracket while CLI11 parses it, which takes "[a, b]" for a list of two.
inline constexpr char kBracketGuard = '\x01';

/// What was given, of a command that names texts to parse_command_line: of them and of its other arguments.
inline void take_guard_off(std::string& text) {
  if (text.starts_with('[') && text.ends_with(kBracketGuard)) text.pop_back();
}
inline void take_guards_off(std::vector<std::string>& texts) {
  for (std::string& text : texts) take_guard_off(text);
}

/// Parses `argv` (argv[0] is the command's name). Returns the status to return at once after --help was printed,
/// nothing when the command is to run. Throws base::UsageError with the reason for anything CLI11 does not accept, and
/// for names that are not UTF-8; the options in `texts` are no names and taken byte for byte, where
/// take_guards_off() is called on what they and the command's other arguments gave.
inline std::optional<int> parse_command_line(CLI::App& app, int argc, char** argv,
                                             const std::vector<const CLI::Option*>& texts = {}) {
  try {
    std::vector<std::string> arguments;  // the last first, as CLI11 wants them
    for (int i = argc - 1; i > 0; --i) {
      arguments.emplace_back(argv[i]);
      if (!texts.empty() && arguments.back().starts_with('[')) arguments.back() += kBracketGuard;
    }
    app.parse(std::move(arguments));
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
