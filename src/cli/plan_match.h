// memlayers plan --match: a size found so that two models compare, and how they compare then.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "planning/match.h"

namespace memlayers::cli {

struct MatchOptions {
  std::string reference;  // a file; empty: nothing is to be matched
  std::string vary;       // the free size's key; empty: the usual one
  double flops = 0;       // 0: parameters are matched
  int64_t multiple_of = 0;
};

/// "937.0 M", always in millions with one digit, as the paper's totals are compared.
std::string millions(double value);

void add_match_options(CLI::App& app, MatchOptions& options);

/// A model and where it was read.
struct MatchedFile {
  std::string file;
  model::ModelConfig config;
  bool is_run = false;  // then keys of the model begin with "model."
};

/// Finds the size and prints both models side by side, as a table or as one JSON object.
void print_match(const MatchOptions& options, const MatchedFile& model, const MatchedFile& reference, int64_t seq_len,
                 bool json);

}  // namespace memlayers::cli
