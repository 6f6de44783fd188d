// memlayers plan: parameters, FLOPs and bytes of a configuration, nothing allocated.
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "cli/command_line.h"
#include "cli/commands.h"
#include "cli/plan_match.h"
#include "data/shards/prepared_data.h"
#include "planning/count.h"
#include "report/page/text_table.h"
#include "training/train_config.h"

namespace memlayers::cli {
namespace {

struct PlanCommand {
  std::string config_file;
  std::vector<std::string> overrides;
  int64_t batch_size = 0, seq_len = 0;  // 0: the run's
  bool json = false;
  MatchOptions match;
};

struct Plan {
  model::ModelConfig model;
  planning::TrainingShape shape;
  std::string dtype = "float32";
};

// A run may leave the vocabulary to its data: then the prepared folder knows it.
void take_vocabulary(Plan& plan, const data::LoaderConfig& data) {
  if (plan.model.vocab_size > 0) return;
  std::string reason = "there are no data.sources";
  try {
    if (!data.sources.empty()) {
      plan.model.vocab_size =
          data::read_prepare_file(data.sources[0].path).at("tokenizer").at("vocab_size").get<int64_t>();
      return;
    }
  } catch (const std::exception& error) {
    reason = error.what();
  }
  throw base::UsageError("model.vocab_size is 0, so the prepared data decides, but " + reason +
                         "; prepare it, or give model.vocab_size=N");
}

Plan plan_of_run(const PlanCommand& command) {
  const auto run = base::load_config<training::TrainConfig>(command.config_file, command.overrides);
  Plan plan{
      run.model,
      {run.data.batch_size / run.micro_batches, run.data.seq_len, run.optimizer.table_optimizer, 4, run.micro_batches}};
  if (model::resolved_dtype(run.dtype) == at::kBFloat16) plan.dtype = "bfloat16", plan.shape.compute_bytes = 2;
  take_vocabulary(plan, run.data);
  return plan;
}

Plan plan_of(const PlanCommand& command) {
  Plan plan;
  if (model::is_run_config(command.config_file)) {
    plan = plan_of_run(command);
  } else {
    plan.model = model::load_model_config(command.config_file, command.overrides);
    plan.shape.seq_len = plan.model.max_position_embeddings;
    take_vocabulary(plan, {});
  }
  if (command.batch_size > 0) plan.shape.batch_size = command.batch_size;
  if (command.seq_len > 0) plan.shape.seq_len = command.seq_len;
  base::check(plan.shape.seq_len <= plan.model.max_position_embeddings, "--seq-len ", plan.shape.seq_len,
              " is longer than model.max_position_embeddings ", plan.model.max_position_embeddings);
  return plan;
}

/// The reference is read like CONFIG, without what overrides it, and counted at the same sequences.
void match_plan(const PlanCommand& command, const Plan& plan) {
  PlanCommand named;
  named.config_file = command.match.reference;
  const MatchedFile model{command.config_file, plan.model, model::is_run_config(command.config_file)};
  const MatchedFile reference{named.config_file, plan_of(named).model, model::is_run_config(named.config_file)};
  print_match(command.match, model, reference, plan.shape.seq_len, command.json);
}

nlohmann::ordered_json to_json(const Plan& plan, const planning::ModelCount& count, const planning::ByteCount& bytes) {
  return {{"batch_size", plan.shape.batch_size},
          {"seq_len", plan.shape.seq_len},
          {"dtype", plan.dtype},
          {"parameters",
           {{"total", count.total},
            {"active", count.active},
            {"embedding", count.embedding},
            {"head", count.head},
            {"attention", count.attention},
            {"feed_forward", count.feed_forward},
            {"experts", count.experts},
            {"memory_dense", count.memory_dense},
            {"tables", count.tables},
            {"ngram_dense", count.ngram_dense},
            {"ngram_tables", count.ngram_tables},
            {"norms", count.norms}}},
          {"flops_per_token",
           {{"training", count.flops_training},
            {"forward", count.flops_forward},
            {"attention", count.flops_attention},
            {"feed_forward", count.flops_feed_forward},
            {"experts", count.flops_experts},
            {"memory", count.flops_memory},
            {"ngrams", count.flops_ngrams},
            {"head", count.flops_head}}},
          {"bytes",
           {{"total", bytes.total},
            {"weights", bytes.weights},
            {"gradients", bytes.gradients},
            {"optimizer", bytes.optimizer},
            {"activations", bytes.activations}}}};
}

void print_rows(const std::vector<std::vector<std::string>>& rows) { std::cout << report::aligned_rows(rows, "  "); }

void print(const Plan& plan, const planning::ModelCount& count, const planning::ByteCount& bytes) {
  std::cout << "parameters\n";
  print_rows({{"token embedding", millions(double(count.embedding))},
              {"attention", millions(double(count.attention))},
              {"feed-forward", millions(double(count.feed_forward))},
              {"experts and their routers", millions(double(count.experts))},
              {"memory layers, no tables", millions(double(count.memory_dense))},
              {"memory tables", millions(double(count.tables))},
              {"n-gram layers, no tables", millions(double(count.ngram_dense))},
              {"n-gram tables", millions(double(count.ngram_tables))},
              {"output head", millions(double(count.head))},
              {"total", millions(double(count.total))},
              {"active for one token", millions(double(count.active))},
              {"norms, not in the total", millions(double(count.norms))}});
  std::cout << "FLOPs per token, sequences of " << plan.shape.seq_len << "\n";
  print_rows({{"attention", millions(count.flops_attention)},
              {"feed-forward", millions(count.flops_feed_forward)},
              {"experts and their routers", millions(count.flops_experts)},
              {"memory layers", millions(count.flops_memory)},
              {"n-gram layers", millions(count.flops_ngrams)},
              {"output head", millions(count.flops_head)},
              {"forward", millions(count.flops_forward)},
              {"training", millions(count.flops_training)}});
  std::cout << "bytes to train on " << plan.shape.batch_size << " x " << plan.shape.seq_len << " tokens at once, "
            << plan.dtype << "\n";
  print_rows({{"weights", base::human_bytes(double(bytes.weights))},
              {"gradients", base::human_bytes(double(bytes.gradients))},
              {"optimizer", base::human_bytes(double(bytes.optimizer))},
              {"activations", base::human_bytes(double(bytes.activations))},
              {"total", base::human_bytes(double(bytes.total))}});
  std::cout << std::flush;
}

}  // namespace

int run_plan(int argc, char** argv) {
  CLI::App app(
      "Prints parameters, FLOPs per token and training bytes of a configuration, without allocating anything.\n"
      "Totals leave RMSNorm weights out, as the paper's do. With --match it sizes CONFIG to compare with another one.",
      "memlayers plan");
  PlanCommand command;
  app.add_option("CONFIG", command.config_file, "a run's YAML (its section model), or a model's config.json or YAML")
      ->required();
  app.add_option("KEY=VALUE", command.overrides, "keys that override the file (of a run: model.hidden_size=64)");
  app.add_flag("--json", command.json, "print one JSON object, numbers unrounded");
  app.add_option("--batch-size", command.batch_size, "sequences at once; default: the run's micro-batch, or 1")
      ->check(CLI::PositiveNumber);
  app.add_option("--seq-len", command.seq_len, "tokens of a sequence; default: the run's, or the model's longest")
      ->check(CLI::PositiveNumber);
  add_match_options(app, command.match);
  if (const auto status = parse_command_line(app, argc, argv)) return *status;

  const Plan plan = plan_of(command);
  if (!command.match.reference.empty()) {
    match_plan(command, plan);
    return 0;
  }
  const planning::ModelCount count = planning::count_model(plan.model, plan.shape.seq_len);
  const planning::ByteCount bytes = planning::count_bytes(plan.model, plan.shape);
  if (command.json) {
    std::cout << to_json(plan, count, bytes).dump(2) << std::endl;
  } else {
    print(plan, count, bytes);
  }
  return 0;
}

}  // namespace memlayers::cli
