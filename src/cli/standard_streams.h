// Standard input, output and error, any of which a program may be started without.
//
// A descriptor that is closed is the next that any file gets, and what is then printed lands in that file. So before
// the first library wakes, /dev/null takes the place of what is closed, opened the other way round: reading and writing
// it fail as they should.
#pragma once

namespace memlayers::cli {

/// Throws base::Error where standard output is closed and the result would be printed there. For a command whose
/// results are files, what it says is then thrown away.
void check_standard_output(bool prints_result);

/// Throws base::UsageError where standard input is closed; `instead` says what to do.
void check_standard_input(const char* instead);

}  // namespace memlayers::cli
