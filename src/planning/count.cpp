#include "planning/count.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>

#include "base/error.h"

namespace memlayers::planning {
namespace {

using layers::ExpertConfig;
using layers::ExpertRouting;
using layers::MemoryConfig;
using layers::MemoryOutput;
using layers::MemoryPlacement;
using layers::MemoryVariant;
using layers::NgramConfig;

// One memory layer: trained tensors that are no table, and forward FLOPs a token.
struct MemoryLayerCount {
  int64_t parameters = 0, norms = 0;
  double flops = 0;
  double random_flops = 0;  // besides, in training: of slots drawn at random
};

// A matrix [in, out] with or without a bias, used once per token.
void add_linear(MemoryLayerCount& count, int64_t in, int64_t out) {
  count.parameters += in * out + out;
  count.flops += 2.0 * static_cast<double>(in) * static_cast<double>(out);
}

int64_t tables_per_set(const MemoryConfig& memory) { return memory.variant == MemoryVariant::kPeer ? 2 : 1; }

MemoryLayerCount count_memory_layer(const MemoryConfig& memory, int64_t hidden) {
  MemoryLayerCount count;
  const int64_t width = memory.heads * memory.key_dim;
  add_linear(count, hidden, width);
  const int64_t keys = memory.num_sub_keys * width;
  count.parameters += keys;
  count.flops += 2.0 * static_cast<double>(keys);
  const int64_t values = tables_per_set(memory) * memory.value_dim;  // that a token takes of one slot
  count.flops += 2.0 * static_cast<double>(memory.heads * memory.top_k * values);
  count.random_flops = 2.0 * static_cast<double>(memory.heads * memory.random_reads * (memory.key_dim + values));
  if (memory.softmax_sink) {
    count.parameters += width + memory.value_dim;
    count.flops += 2.0 * static_cast<double>(width + memory.value_dim);
  }
  if (memory.output == MemoryOutput::kGated) add_linear(count, hidden, memory.value_dim);
  if (memory.has_out_projection(hidden)) add_linear(count, memory.value_dim, hidden);
  if (memory.scalar_gate) add_linear(count, hidden, 1);
  if (memory.query_batch_norm) count.parameters += 2 * width;
  if (memory.qk_norm) count.norms += 2 * memory.key_dim;
  if (memory.placement == MemoryPlacement::kEmbedding) count.norms += hidden;
  return count;
}

// Experts that compute a token in training, on average and at most.
double experts_per_token(const ExpertConfig& experts) {
  const double choices = static_cast<double>(experts.top_k), factor = experts.capacity_factor;
  if (experts.routing == ExpertRouting::kTokenChoice) return factor > 0 ? choices * std::min(1.0, factor) : choices;
  return std::min(choices * factor, static_cast<double>(experts.num_experts));
}

// One mixture of experts with its router: parameters, those of experts that one token does not choose, FLOPs a token.
struct MixtureCount {
  int64_t parameters = 0, idle = 0;
  double flops = 0;
};

MixtureCount count_mixture(const ExpertConfig& experts, int64_t hidden) {
  const int64_t router = experts.num_experts * hidden, expert = 3 * hidden * experts.intermediate_size;
  const double computed = experts_per_token(experts) * static_cast<double>(expert);
  return {experts.num_experts * expert + router, (experts.num_experts - experts.top_k) * expert,
          2.0 * (static_cast<double>(router) + computed)};
}

// One n-gram layer: what is no table, and FLOPs a token (two projections of its rows and their dot product with the
// query; hashes are integer arithmetic, rows are copied).
MemoryLayerCount count_ngram_layer(const NgramConfig& ngrams, int64_t hidden) {
  const int64_t projections = 2 * ngrams.reads() * ngrams.value_dim * hidden;
  return {projections, 2 * hidden, 2.0 * static_cast<double>(projections + hidden)};
}

// Tables of n-gram layers, and rows of one.
int64_t count_ngram_tables(const NgramConfig& ngrams) {
  if (ngrams.layers.empty()) return 0;
  return ngrams.shared_table ? 1 : static_cast<int64_t>(ngrams.layers.size());
}

int64_t ngram_rows(const NgramConfig& ngrams) { return ngrams.reads() * ngrams.rows; }

int64_t slots_of(const MemoryConfig& memory) { return memory.num_sub_keys * memory.num_sub_keys; }

// Table sets, and tables in all.
int64_t count_table_sets(const MemoryConfig& memory) {
  if (memory.layers.empty()) return 0;
  return memory.shared_table ? 1 : static_cast<int64_t>(memory.layers.size());
}

// Values of tables that one token reads in one layer.
int64_t read_values(const MemoryConfig& memory) {
  return tables_per_set(memory) * memory.heads * memory.top_k * memory.value_dim;
}

// Slots that one token reads in one layer in training.
int64_t training_reads(const MemoryConfig& memory) { return memory.heads * (memory.top_k + memory.random_reads); }

int64_t count_tables(const MemoryConfig& memory) {
  return count_table_sets(memory) * tables_per_set(memory) * slots_of(memory) * memory.value_dim;
}

// validate() bounds what a model is made of; the batch may be of any size.
int64_t product(std::initializer_list<int64_t> factors) {
  constexpr int64_t kMost = int64_t{1} << 60;  // so that a few of them can be added
  int64_t result = 1;
  for (const int64_t factor : factors) {
    base::check(factor == 0 || result <= kMost / factor, "plan: training this takes more than 2^60 bytes; lower the ",
                "batch, the sequences' length or the model's sizes");
    result *= factor;
  }
  return result;
}

// Tables of one kind, as far as training them takes bytes.
struct TableShape {
  int64_t tables = 0, rows = 0, value_dim = 0;
  int64_t layers = 0;              // that read each of the tables
  int64_t reads = 0, outputs = 0;  // of one token in one layer: rows read, and sums of rows that come of it
};

std::vector<TableShape> table_shapes(const model::ModelConfig& config) {
  const MemoryConfig& memory = config.memory;
  const NgramConfig& ngrams = config.ngrams;
  const auto sharing = [](bool shared, const std::vector<int64_t>& layers) {
    return shared ? static_cast<int64_t>(layers.size()) : 1;
  };
  std::vector<TableShape> shapes;
  if (!memory.layers.empty()) {
    shapes.push_back({count_table_sets(memory) * tables_per_set(memory), slots_of(memory), memory.value_dim,
                      sharing(memory.shared_table, memory.layers), training_reads(memory), 1});
  }
  if (!ngrams.layers.empty()) {
    shapes.push_back({count_ngram_tables(ngrams), ngram_rows(ngrams), ngrams.value_dim,
                      sharing(ngrams.shared_table, ngrams.layers), ngrams.reads(), ngrams.reads()});
  }
  return shapes;
}

// Records of every layer and micro-step (slots, weights, output gradient), which stay until the optimizer's step; then
// the gathered rows of the touched slots. `tokens`: of a step.
int64_t table_gradient_bytes(const TableShape& shape, int64_t tokens) {
  const int64_t record = shape.reads * 12 + shape.outputs * shape.value_dim * 4;
  const int64_t records = product({shape.tables, shape.layers, tokens, record});
  const int64_t touched = std::min(shape.rows, product({shape.layers, tokens, shape.reads}));
  return records + product({shape.tables, touched, shape.value_dim * 4 + 8});
}

// Two arrays of sort keys, one table after another.
int64_t sort_bytes(const TableShape& shape, int64_t tokens) { return product({shape.layers, tokens, shape.reads, 16}); }

int64_t table_optimizer_bytes(const TableShape& shape, ops::RowOptimizer kind) {
  const int64_t rows = shape.tables * shape.rows;
  switch (kind) {
    case ops::RowOptimizer::kExact:
      return rows * (8 * shape.value_dim + 4);
    case ops::RowOptimizer::kLazy:
      return rows * 8 * shape.value_dim;
    case ops::RowOptimizer::kRowwise:
      return rows * 4;
    case ops::RowOptimizer::kSgd:
      break;
  }
  return 0;
}

// Kept per token by one RMSNorm: the input in float32, the inverse root, the output.
int64_t norm_bytes(int64_t width, int64_t element) { return width * (4 + element) + 4; }

// Per token: rotated queries, keys and values, what was read, the row sums.
int64_t attention_bytes(const model::ModelConfig& config, int64_t element) {
  const int64_t width = config.num_attention_heads * config.head_dim;
  const int64_t key_width = config.num_key_value_heads * config.head_dim;
  return 2 * (width + key_width) * element + 4 * config.num_attention_heads;
}

int64_t memory_layer_bytes(const MemoryConfig& memory, int64_t hidden, int64_t element) {
  const int64_t width = memory.heads * memory.key_dim, reads = training_reads(memory), value = memory.value_dim;
  int64_t bytes = 4 * width + reads * (8 + 4 + 4) + value * element;  // query; slots, scores, weights; what was read
  if (memory.qk_norm) bytes += 4 * width + 4 * 2 * memory.heads;
  if (memory.query_batch_norm) bytes += 4 * width;
  if (memory.output == MemoryOutput::kGated) bytes += 2 * value * element;  // gate, product
  if (memory.variant == MemoryVariant::kPeer) bytes += reads * 8;
  if (memory.scalar_gate) bytes += hidden * element;
  bytes += memory.random_reads * (4 * width + 16 * memory.heads);    // their sub-keys; slots, and halves of them
  if (memory.softmax_sink) bytes += 4 * (reads + 2 * memory.heads);  // weights apart from the sink's
  for (const auto& [share, size] :
       {std::pair{memory.input_dropout, hidden}, {memory.query_dropout, width}, {memory.value_dropout, value}}) {
    if (share > 0) bytes += size * element;
  }
  return bytes;
}

// Per token: the router's input where it is not the norm's output, probabilities; for each expert that computes it its
// row, gate, up, their product, the result, weight and the numbers of token and choice.
double expert_bytes(const ExpertConfig& experts, int64_t hidden, int64_t element) {
  const int64_t row = (hidden + 3 * experts.intermediate_size) * element + 4 * hidden + 4 + 16;
  const int64_t router = 4 * experts.num_experts + (element == 4 ? 0 : 4 * hidden);
  return static_cast<double>(router) + experts_per_token(experts) * static_cast<double>(row);
}

// Per token: slots, weights, the rows side by side, the input of the query's norm, keys before the norm and after it,
// the query, values, the dot product and its gate; values in float32 where they are not.
int64_t ngram_layer_bytes(const NgramConfig& ngrams, int64_t hidden, int64_t element) {
  const int64_t rows = ngrams.reads() * (8 + 4) + ngrams.reads() * ngrams.value_dim * element;
  const int64_t wide = element == 4 ? 0 : 4 * hidden;
  return rows + 4 * hidden + (element + 4) * hidden + 4 * hidden + element * hidden + wide + 16;
}

// Blocks whose feed-forward is the dense one.
int64_t count_feed_forwards(const model::ModelConfig& config) {
  const size_t memories = config.memory.placement == MemoryPlacement::kReplace ? config.memory.layers.size() : 0;
  return config.num_hidden_layers - static_cast<int64_t>(memories + config.experts.layers.size());
}

/// Biases of all blocks; adding them is no product and not counted as FLOPs, as those of memory layers are not.
struct BiasCount {
  int64_t attention = 0, feed_forward = 0;
};

BiasCount count_biases(const model::ModelConfig& config) {
  BiasCount count;
  const int64_t widths = (config.num_attention_heads + 2 * config.num_key_value_heads) * config.head_dim;
  if (config.attention_bias) {
    count.attention = config.num_hidden_layers * (widths + (config.attention_output_bias ? config.hidden_size : 0));
  }
  if (config.mlp_bias)
    count.feed_forward = count_feed_forwards(config) * (2 * config.intermediate_size + config.hidden_size);
  return count;
}

}  // namespace

ModelCount count_model(const model::ModelConfig& given, int64_t seq_len) {
  model::ModelConfig config = given;
  config.validate();
  const MemoryConfig& memory = config.memory;
  const int64_t d = config.hidden_size, blocks = config.num_hidden_layers;
  const int64_t memories = static_cast<int64_t>(memory.layers.size());
  const int64_t mixtures = static_cast<int64_t>(config.experts.layers.size());
  const int64_t query_width = config.num_attention_heads * config.head_dim;
  const int64_t key_width = config.num_key_value_heads * config.head_dim;
  const NgramConfig& ngrams = config.ngrams;
  const int64_t lookups = static_cast<int64_t>(ngrams.layers.size());
  const MemoryLayerCount lookup = lookups > 0 ? count_ngram_layer(ngrams, d) : MemoryLayerCount{};
  const MemoryLayerCount layer = memories > 0 ? count_memory_layer(memory, d) : MemoryLayerCount{};
  const MixtureCount mixture = mixtures > 0 ? count_mixture(config.experts, d) : MixtureCount{};

  ModelCount count;
  count.embedding = config.vocab_size * d;
  count.head = config.tie_word_embeddings ? 0 : config.vocab_size * d;
  const BiasCount biases = count_biases(config);
  count.attention = blocks * 2 * d * (query_width + key_width) + biases.attention;
  count.feed_forward = count_feed_forwards(config) * 3 * d * config.intermediate_size + biases.feed_forward;
  count.experts = mixtures * mixture.parameters;
  count.memory_dense = memories * layer.parameters;
  count.tables = count_tables(memory);
  count.ngram_dense = lookups * lookup.parameters;
  count.ngram_tables = count_ngram_tables(ngrams) * ngram_rows(ngrams) * ngrams.value_dim;
  count.norms = (2 * blocks + 1) * d + (config.query_key_norm ? 2 * blocks * config.head_dim : 0) +
                memories * layer.norms + lookups * lookup.norms;
  count.total = count.embedding + count.head + count.attention + count.feed_forward + count.experts +
                count.memory_dense + count.tables + count.ngram_dense + count.ngram_tables;
  const int64_t read = memories > 0 ? memories * read_values(memory) : 0;
  count.active = count.total - mixtures * mixture.idle - std::max<int64_t>(0, count.tables - read) -
                 std::max<int64_t>(0, count.ngram_tables - lookups * ngrams.reads() * ngrams.value_dim);

  const double scores = 2.0 * static_cast<double>(query_width) * static_cast<double>(seq_len);  // 4 * width * T / 2
  count.flops_attention =
      2.0 * static_cast<double>(count.attention - biases.attention) + static_cast<double>(blocks) * scores;
  count.flops_feed_forward = 2.0 * static_cast<double>(count.feed_forward - biases.feed_forward);
  count.flops_experts = static_cast<double>(mixtures) * mixture.flops;
  count.flops_memory = static_cast<double>(memories) * layer.flops;
  count.flops_ngrams = static_cast<double>(lookups) * lookup.flops;
  count.flops_head = 2.0 * static_cast<double>(config.vocab_size * d);
  count.flops_forward = count.flops_attention + count.flops_feed_forward + count.flops_experts + count.flops_memory +
                        count.flops_ngrams + count.flops_head;
  count.flops_training = 3 * (count.flops_forward + static_cast<double>(memories) * layer.random_flops);
  return count;
}

ByteCount count_bytes(const model::ModelConfig& given, const TrainingShape& shape) {
  model::ModelConfig config = given;
  config.validate();
  const MemoryConfig& memory = config.memory;
  const ModelCount count = count_model(config, shape.seq_len);
  const int64_t tables = count.tables + count.ngram_tables, dense = count.total - tables + count.norms;
  const int64_t tokens = product({shape.batch_size, shape.seq_len});
  const int64_t d = config.hidden_size, element = shape.compute_bytes, blocks = config.num_hidden_layers;
  const int64_t memories = static_cast<int64_t>(memory.layers.size());
  const int64_t mixtures = static_cast<int64_t>(config.experts.layers.size());

  ByteCount bytes;
  bytes.weights = 4 * dense + element * tables;
  bytes.gradients = 4 * dense;
  bytes.optimizer = 8 * dense;
  int64_t sorting = 0;
  for (const TableShape& table : table_shapes(config)) {
    const int64_t step_tokens = product({tokens, shape.micro_batches});
    bytes.gradients += table_gradient_bytes(table, step_tokens);
    bytes.optimizer += table_optimizer_bytes(table, shape.table_optimizer);
    sorting = std::max(sorting, sort_bytes(table, step_tokens));
  }
  bytes.gradients += sorting;
  int64_t per_token = blocks * (2 * norm_bytes(d, element) + attention_bytes(config, element));
  per_token += count_feed_forwards(config) * 3 * config.intermediate_size * element;  // gate, up, their product
  if (mixtures > 0) per_token += mixtures * std::llround(expert_bytes(config.experts, d, element));
  if (memories > 0) per_token += memories * memory_layer_bytes(memory, d, element);
  per_token += static_cast<int64_t>(config.ngrams.layers.size()) * ngram_layer_bytes(config.ngrams, d, element);
  per_token += norm_bytes(d, element) + d * element + 8;  // the last norm, its gradient out of the loss, the token
  bytes.activations =
      product({tokens, per_token}) + 4 * config.vocab_size * d;  // the head's gradient, made with the loss
  bytes.total = bytes.weights + bytes.gradients + bytes.optimizer + bytes.activations;
  return bytes;
}

}  // namespace memlayers::planning
