// `memlayers prepare`: sources to a folder of token shards, tokenizer, questions and prepare.json.
//
// Two passes when a tokenizer is to be trained (one draws the sample of lines, one encodes), one otherwise. The folder
// appears whole or not at all.
#pragma once

#include <nlohmann/json.hpp>

#include "data/prepare_config.h"

namespace memlayers::data {

struct PrepareResult {
  bool reused = false;             // the folder held these data already
  nlohmann::ordered_json summary;  // prepare.json
};

/// Prepares the data, or does nothing where `output` already holds what this configuration gives (the same settings,
/// input files of the same size and time). Another folder there is replaced only with `force`, and only if prepare
/// wrote it. On an interrupt (base::interrupted) throws base::Error and leaves nothing. Throws UsageError, IoError.
PrepareResult prepare(const PrepareConfig& config, bool force = false);

}  // namespace memlayers::data
