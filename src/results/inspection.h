// What `memlayers inspect` found in a model's tables: plain numbers, measured by slot_inspection.h, shown by
// inspection_page.h. Layers, heads and slots are counted from 0.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "results/comparison.h"

namespace memlayers::results {

inline constexpr int64_t kAllHeads = -1;

/// How one head of one memory layer (or all of its heads) read its table during the sweep.
struct HeadUse {
  int64_t layer = 0, head = kAllHeads;
  int64_t table = 0;  // index into Inspection::tables
  int64_t reads = 0;
  int64_t dead = 0;  // slots it never read
  int64_t hot = 0;   // slots it read more than once and at least `hot_factor` times as often as even reading would
  SlotUsage spread;
};

/// Two layers that read one table.
struct LayerPair {
  int64_t table = 0, first = 0, second = 0;
  int64_t both = 0;      // slots that both read at least once
  double by_chance = 0;  // as many would be, had each layer drawn its slots independently of the other
};

struct ReadSlot {
  int64_t slot = 0, reads = 0;
  std::vector<int64_t> by_layer;  // beside TableUse::layers
};

struct TableUse {
  std::string name;
  int64_t slots = 0;
  std::vector<int64_t> layers;           // memory layers that read it, ascending
  std::vector<int64_t> read_by;          // [layers + 1]: slots that 0, 1, ... of these layers read
  std::optional<int64_t> never_trained;  // slots that no training step has read; nothing where that was not kept
  std::vector<ReadSlot> most_read;       // most reads first; among equals the lower slot
};

struct MovedRow {
  int64_t slot = 0;
  double relative = 0;  // |now - then| / |then|, Euclidean norms; infinite where the row was zero
  double distance = 0;  // |now - then|
  int64_t reads = 0;    // in the sweep
};

/// How far the rows of one table moved since a checkpoint.
struct TableDrift {
  std::string name;
  int64_t slots = 0, unmoved = 0;  // unmoved: every number bit for bit the same value
  int64_t from_zero = 0;           // rows that were zero and are not now; not in the median, the largest, the histogram
  double whole = 0;                // |now - then| / |then| over the whole table
  double median = 0, largest = 0;  // of all other rows' relative movement, unmoved ones counting as 0
  std::vector<int64_t> histogram;  // beside drift_edges(): moved rows with relative movement in [edge i - 1, edge i)
  std::vector<MovedRow> most;      // farthest first; among equals the lower slot
};

/// Upper edges of the histogram's bins; the last is infinite, the first bin begins above zero.
const std::vector<double>& drift_edges();

/// A document or a question whose tokens read the slot.
struct LitText {
  std::string source;  // the data's folder, or the file of questions
  int64_t id = 0;      // number of the document in its split, or the question's id
  double weight = 0;   // sum of the slot's weights over its tokens, layers and heads
  int64_t reads = 0;
  std::string text, token;  // token: where the weight was largest, with what stands before it
};

struct SlotLight {
  int64_t slot = 0, table = 0;
  struct By {
    int64_t layer = 0, head = 0, reads = 0;
    double weight = 0;  // summed over the reads
  };
  std::vector<By> heads;
  std::vector<LitText> documents, questions;  // largest weight first; among equals the earlier
};

struct ChosenSlot {
  int64_t slot = 0;
  double weight = 0;
  int64_t reads = 0, layer_reads = 0;  // in the sweep: by this head, by all heads of this layer
};

struct AskedQuestion {
  std::optional<int64_t> id;
  std::string prompt, token;         // token: the prompt's last, at whose position the answer begins
  std::string said;                  // greedily
  std::vector<std::string> answers;  // the accepted ones; none for a prompt that was typed
  bool right = false;
  struct Head {
    int64_t layer = 0, head = 0;
    std::vector<ChosenSlot> slots;  // largest weight first
  };
  std::vector<Head> heads;
};

struct Inspection {
  std::string model, data, split;
  int64_t documents = 0, tokens = 0;  // of the sweep; the last document may have been cut
  int64_t questions = 0, question_tokens = 0;
  bool interrupted = false;  // the sweep was stopped; the numbers are of what it had seen
  double hot_factor = 0;
  std::vector<TableUse> tables;
  std::vector<HeadUse> layers;  // one a memory layer, all heads together
  std::vector<HeadUse> heads;
  std::vector<LayerPair> pairs;
  std::string since;  // the checkpoint that drift is measured from; empty: not asked for
  std::vector<TableDrift> drift;
  std::vector<SlotLight> lights;  // one a table; empty: no slot asked for
  std::optional<AskedQuestion> asked;
};

/// One JSON object with every number above.
std::string inspection_json(const Inspection& inspection);

}  // namespace memlayers::results
