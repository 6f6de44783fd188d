// The commands of the program, one short file each: src/cli/NAME.cpp defines run_NAME.
//
// Every command gets the command line from its own name on (argv[0] is "train", "eval", ...), parses it itself, and
// returns the exit status: 0 done (also: interrupted after saving, and --help), 1 failed, 2 called wrongly. It may also
// throw: main turns base::UsageError and CLI::ParseError into 2 and every other exception into 1, with one line on
// stderr.
#pragma once

namespace memlayers::cli {

int run_train(int argc, char** argv);
int run_eval(int argc, char** argv);
int run_generate(int argc, char** argv);
int run_compare(int argc, char** argv);
int run_experiment(int argc, char** argv);
int run_plan(int argc, char** argv);
int run_prepare(int argc, char** argv);
int run_report(int argc, char** argv);
int run_inspect(int argc, char** argv);
int run_capacity(int argc, char** argv);
int run_bench(int argc, char** argv);
int run_import(int argc, char** argv);
int run_export(int argc, char** argv);
int run_tokenize(int argc, char** argv);

}  // namespace memlayers::cli
