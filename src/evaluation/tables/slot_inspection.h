// Looks into a trained model's tables: one forward pass over a sample of texts, counted, and what was asked of it
// besides.
#pragma once

#include <filesystem>

#include "data/question.h"
#include "data/shards/loader.h"
#include "model/transformer.h"
#include "results/inspection.h"
#include "text/tokenizer.h"

namespace memlayers::evaluation {

struct InspectOptions {
  std::vector<data::SourceConfig> sources;  // prepared folders and their shares of the sample
  std::string split = "train";
  int64_t tokens = 16'384;   // read of the documents, and of the questions' prompts where a slot is looked at; 0: all
  int64_t max_length = 256;  // of a passage; longer documents are read in parts
  double hot_factor = 10;    // HeadUse::hot
  int64_t top = 10;          // entries of each list
  std::optional<int64_t> slot;            // what lights it
  std::vector<data::Question> questions;  // whose prompts may light it
  std::string questions_name;
  std::optional<data::Question> ask;  // which slots answer it; without accepted answers: a prompt that was typed
  bool ask_has_id = false;
  const model::Transformer* since = nullptr;  // drift is measured from its tables
  std::string since_name;
  std::filesystem::path training_state;  // a checkpoint's training_state.safetensors; empty or absent: not looked at
  bool progress = false;
};

/// The model is left as it is. Stops early on SIGINT or SIGTERM, with the numbers
/// of what it had read (Inspection::interrupted). Throws UsageError: no memory layers, a slot outside of the table, a
/// prompt that is empty or too long, tables of other shapes; IoError: the data.
results::Inspection inspect(model::Transformer& model, const text::Tokenizer& tokenizer, const InspectOptions& options);

}  // namespace memlayers::evaluation
