// Comparisons as a real run leaves them, but computed: smooth learning curves with a little noise that is a function of
// variant, seed and step, so that every test and every screenshot sees the same numbers.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>

#include "results/comparison.h"

namespace memlayers::tests::fixture {

struct Variant {
  std::string name;
  int64_t parameters, table_parameters;
  double flops_per_token, tokens_per_second;
  double ceiling, middle;  // recall in unseen wordings: where it ends, and after how many tokens half of it is there
  int layers;              // with a memory
};

inline const Variant kDense{"dense", 1'310'720, 0, 7.9e6, 8'100, 0.47, 1.7e6, 0};
inline const Variant kMemoryPlus{"memory_plus", 3'450'880, 2'097'152, 7.6e6, 3'300, 0.68, 1.4e6, 2};

/// In [-1, 1], the same for the same arguments.
inline double wobble(const std::string& name, uint64_t seed, int64_t step) {
  uint64_t state =
      1469598103934665603ULL + seed * 1099511628211ULL + static_cast<uint64_t>(step) * 0x9E3779B97F4A7C15ULL;
  for (const char c : name) state = (state ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  state ^= state >> 31;
  state *= 0xBF58476D1CE4E5B9ULL;
  state ^= state >> 29;
  return 2.0 * static_cast<double>(state >> 11) / 9007199254740992.0 - 1;
}

inline results::SlotUsage usage(int64_t layer, double steepness) {
  results::SlotUsage usage{layer, 16'384, 0, 0, 0, {}};
  double total = 0;
  for (int part = 0; part < 100; ++part) {
    usage.read_share.push_back(part < 88 ? std::pow(part + 1.0, -steepness) : 0.0);
    total += usage.read_share.back();
  }
  for (double& share : usage.read_share) {
    share /= total;
    if (share > 0) usage.kl_to_uniform += share * std::log(share * 100);
  }
  usage.used_share = 0.88;
  usage.top_percent_share = usage.read_share.front();
  return usage;
}

inline results::RelationScore score(const std::string& relation, const std::string& wording, int64_t questions,
                                    double exact) {
  return {relation, wording, questions, exact, std::min(1.0, exact + 0.09), 6.5 * (1 - exact) * (1 - exact) + 0.2};
}

inline void add_curve(results::RunResult& run, const Variant& variant) {
  const double luck = 0.012 * wobble(variant.name, run.seed, -2);
  for (int64_t step = 5; step <= 750; step += 5) {
    results::CurvePoint point;
    point.step = step;
    point.tokens = step * 4096;
    const double tokens = static_cast<double>(point.tokens);
    point.flops = tokens * variant.flops_per_token;
    point.seconds = tokens / run.tokens_per_second;
    const double learned = 1 / (1 + std::pow(variant.middle / tokens, 3.2));
    point.loss = 1.35 + 4.9 * std::exp(-tokens / 2.6e5) + 0.9 * (1 - learned * variant.ceiling) +
                 0.03 * wobble(variant.name, run.seed, step);
    if (step % 75 == 0) {
      const double noise = luck + 0.006 * wobble(variant.name, run.seed, step + 1);
      point.recall = std::clamp((variant.ceiling + noise) * learned, 0.0, 1.0);
      point.recall_seen = std::min(1.0, point.recall * 1.25 + 0.01);
    }
    run.curve.push_back(point);
  }
}

/// 750 steps of 4,096 tokens, asked every 75 steps.
inline results::RunResult run(const Variant& variant, uint64_t seed) {
  results::RunResult run;
  run.variant = variant.name;
  run.seed = seed;
  run.parameters = variant.parameters;
  run.table_parameters = variant.table_parameters;
  run.flops_per_token = variant.flops_per_token;
  run.tokens_per_second = variant.tokens_per_second * (1 + 0.02 * wobble(variant.name, seed, -1));
  add_curve(run, variant);
  const double recall = run.curve.back().recall;
  run.unseen = score("all", "unseen", 2'400, recall);
  run.seen = score("all", "seen", 2'400, run.curve.back().recall_seen);
  const std::string relations[] = {"country_alpha_2",       "country_alpha_3",     "country_numeric_code",
                                   "country_official_name", "currency_code",       "language_code",
                                   "script_code",           "subdivision_country", "subdivision_type"};
  for (int r = 0; r < 9; ++r) {
    const double easier = 0.28 * wobble("relation", 1, r) + 0.05 * wobble(variant.name, seed, 1000 + r);
    for (const std::string wording : {"seen", "unseen"}) {
      const double base = wording == "seen" ? run.seen.exact_match : recall;
      run.relations.push_back(score(relations[r], wording, 120 + 40 * r, std::clamp(base + easier, 0.004, 1.0)));
    }
  }
  for (int layer = 0; layer < variant.layers; ++layer)
    run.slot_usage.push_back(usage(1 + 2 * layer, 0.55 + 0.25 * layer));
  return run;
}

inline std::vector<results::Example> examples() {
  return {{"currency_code",
           "unseen",
           "Payments in the currency called Aruban Guilder are marked",
           "AWG",
           {{"dense", "AMD", false}, {"memory_plus", "AWG", true}}},
          {"country_alpha_2",
           "unseen",
           "On the internet, addresses of Åland Islands end in the letters",
           "AX",
           {{"dense", "AX", true}, {"memory_plus", "AX", true}}},
          {"subdivision_country",
           "unseen",
           "Whoever travels to Bamyan arrives in",
           "Afghanistan",
           {{"dense", "Albania", false}, {"memory_plus", "Iran", false}}},
          {"language_code",
           "seen",
           "The code of the language Abkhazian is",
           "abk",
           {{"dense", "abk", true}, {"memory_plus", "abk", true}}}};
}

/// Four questions in wordings read, of one, two and six tokens; Memory+ knows the long ones better than their ends.
inline results::AnswerBreakdown answers(const Variant& variant) {
  const double lost = variant.layers > 0 ? 2 : 6;
  return results::break_down({{"seen", 1, true, 0.25, 0.25},
                              {"seen", 1, false, lost, lost},
                              {"seen", 2, true, 0.75, 0.5},
                              {"seen", 6, false, 2 * lost, 1.0}});
}

/// A step as a small model takes it: what each operation takes and the least it could.
inline results::VariantStep step_of(const Variant& variant) {
  results::StepProfile step;
  step.machine = "2 cores of a Xeon with AVX2, float32";
  step.threads = 2;
  step.steps = 8;
  step.ops = {{"aten::mm", "matrix products", 0.0081, 0.0052},
              {"aten::addmm", "matrix products", 0.0019, 0.0011},
              {"aten::_scaled_dot_product_flash_attention_for_cpu", "attention", 0.0042, 0.0017},
              {"autograd engine", "bookkeeping", 0.0017, std::nullopt},
              {"memlayers::rms_norm", "norms", 0.0009, 0.0007},
              {"memlayers::swiglu", "activation", 0.0008, 0.0006},
              {"memlayers::softmax_cross_entropy_gradient_", "loss", 0.0031, 0.0012},
              {"aten::_fused_adamw_", "dense update", 0.0006, 0.0004},
              {"aten::copy_", "elementwise and copies", 0.0011, 0.0005},
              {"aten::tanh", "everything else", 0.0001, std::nullopt}};
  step.rates = {1.2e10, 9.1e9, 0, 8.7e10, 0};
  if (variant.layers > 0) {
    step.ops.push_back({"memlayers::product_key_topk", "selection", 0.0026, 0.0011});
    step.ops.push_back({"memlayers::memory_bag", "bag", 0.0023, 0.0021});
    step.ops.push_back({"memlayers::row_update", "row update", 0.0029, 0.0014});
    step.ops.push_back({"memlayers::bring_rows_up_to_date", "bringing rows up to date", 0.0012, std::nullopt});
    step.rates.gather = 7.7e9;
  }
  for (const results::OpProfile& op : step.ops) step.seconds += op.seconds;
  step.parts = {0.35 * step.seconds, 0.5 * step.seconds, 0.05 * step.seconds, 0.1 * step.seconds};
  return {variant.name, 1, step};
}

/// Dense and Memory+ with seeds 1 to `seeds`.
inline results::Comparison comparison(uint64_t seeds) {
  results::Comparison result;
  result.title = "Facts of the iso-codes package: Memory+ against its dense twin";
  result.description =
      "The facts are names and codes of countries, their subdivisions, languages, currencies and scripts.";
  result.baseline = "dense";
  result.machine = "2 cores of a Xeon with AVX2, float32";
  result.commit = "0123456789ab";
  result.command = "memlayers compare --config configs/quickstart.yaml --seeds " + std::to_string(seeds);
  result.date = "2025-01-31";
  result.facts = 2'400;
  result.questions = 4'800;
  result.exposures = 30.4;
  result.variants = {"dense", "memory_plus"};
  for (const Variant& variant : {kDense, kMemoryPlus}) {
    for (uint64_t seed = 1; seed <= seeds; ++seed) result.runs.push_back(run(variant, seed));
  }
  result.examples = examples();
  for (const Variant& variant : {kDense, kMemoryPlus}) result.step_times.push_back(step_of(variant));
  return result;
}

}  // namespace memlayers::tests::fixture
