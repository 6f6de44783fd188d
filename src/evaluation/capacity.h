// How many bits of biographies a model holds, by the lower bound of Allen-Zhu and Li ("Physics of Language Models: Part
// 3.3", 2024, arXiv 2404.05405): from the losses of names and of values, nothing is sampled. docs/capacity.md derives it.
#pragma once

#include <functional>

#include "evaluation/capacity_passages.h"
#include "evaluation/stored_weights.h"

namespace memlayers::evaluation {

/// A number of bits with the interval that holds 95 % of what other draws of the people measured give (bootstrap).
struct Bits {
  double value = 0, low = 0, high = 0;
};

/// One attribute, over the people of the data. Nats are those of its value's tokens given the name, summed, mean over people.
struct AttributeCapacity {
  std::string name;
  int64_t values = 1;        // S_a, equally likely
  double trained_nats = 0;   // in trained wordings
  double held_out_nats = 0;  // in held-out ones
  Bits stored, extractable;  // people * max(0, log2 S_a - nats / ln 2), trained and held out
  double most_bits = 0;      // people * log2 S_a
};

struct Capacity {
  int64_t people = 0, measured = 0;  // of the data; of them scored
  int64_t names = 0;                 // N0

  double name_nats = 0;       // of a name's tokens after `name_opening`, summed, mean over people
  std::string name_opening;   // the one of CapacityPassages::openings() with fewer nats
  Bits name;                  // people * max(0, log2 N0 - nats / ln 2)
  double most_name_bits = 0;  // people * log2(N0 / people): a name cannot be likelier than 1 / people for all of them
  std::vector<AttributeCapacity> attributes;

  Bits values_stored, values_extractable;  // sums over attributes
  Bits stored;                             // name and values_stored
  double most_bits = 0;                    // that `stored` can reach

  StoredSize size;  // zero where only probabilities were given
  StoredFormat table_format = StoredFormat::kFloat32, weight_format = StoredFormat::kFloat32;
};

/// Nats of each passage's tail: minus the log-probability of its tokens, summed.
using TailNats = std::function<std::vector<double>(const std::vector<ScoredPassage>&)>;

struct CapacityOptions {
  int64_t limit = 0;  // score so many people, drawn always the same; 0: all
  StoredFormat tables = StoredFormat::kFloat32, weights = StoredFormat::kFloat32;
  std::string progress_title;  // empty: no progress shown
};

/// The bound for any source of probabilities. Each term is clipped at zero after its mean over people is taken, never person
/// by person: a confident wrong guess must cost what it costs. On SIGINT or SIGTERM (base::interrupted) the numbers are
/// those of the people scored so far, all zero for none. Throws UsageError: no people; Error: nats that are not finite.
Capacity estimate_capacity(const data::Biographies& biographies, const data::Tokenizer& tokenizer, const TailNats& nats,
                           const CapacityOptions& options);

/// The bound for a model (set_training(false) first), its weights rounded to `options.tables` and `options.weights` in
/// place, and its size as so stored. Throws UsageError: a name and sentence longer than the model's positions.
Capacity measure_capacity(model::Transformer& model, const data::Tokenizer& tokenizer,
                          const data::Biographies& biographies, const CapacityOptions& options);

/// Tables for the terminal, and the same numbers as one JSON object. `model` is shown as it is.
std::string capacity_text(const Capacity& capacity, const std::string& model);
std::string capacity_json(const Capacity& capacity, const std::string& model);

}  // namespace memlayers::evaluation
