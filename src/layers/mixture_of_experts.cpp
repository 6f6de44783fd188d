#include "layers/mixture_of_experts.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "ops/swiglu/swiglu.h"

namespace memlayers::layers {
namespace {

// at::topk leaves ties open; a stable sort does not.
at::Tensor best_first(const at::Tensor& probabilities, int64_t count) {
  const at::Tensor order = std::get<1>(at::sort(probabilities.detach(), /*stable=*/true, 1, /*descending=*/true));
  return order.narrow(1, 0, count).contiguous();
}

int64_t capacity_of(const ExpertConfig& config, int64_t tokens) {
  const double even = static_cast<double>(tokens * config.top_k) / static_cast<double>(config.num_experts);
  const double places = std::ceil(std::min(config.capacity_factor * even, static_cast<double>(tokens)));
  return static_cast<int64_t>(places);
}

ExpertAssignment taken_by_experts(const at::Tensor& probabilities, int64_t capacity) {
  const at::Tensor by_expert = probabilities.t();  // [E, N]
  const at::Tensor chosen = best_first(by_expert, capacity);
  ExpertAssignment assignment;
  assignment.tokens = chosen.view({-1});
  assignment.weights = by_expert.gather(1, chosen).view({-1});
  assignment.loads.assign(static_cast<size_t>(probabilities.size(1)), capacity);
  assignment.capacity = capacity;
  return assignment;
}

// Choices [k * N], all first ones before any second one.
struct Choices {
  at::Tensor experts;         // [k * N]
  at::Tensor grouped;         // [k * N] numbers of choices, by expert
  std::vector<int64_t> many;  // [E] how many chose each expert
};

Choices choose(const at::Tensor& probabilities, int64_t top_k) {
  Choices choices;
  choices.experts = best_first(probabilities, top_k).t().reshape({-1});
  choices.grouped = std::get<1>(at::sort(choices.experts, /*stable=*/true, 0, /*descending=*/false));
  const at::Tensor counts = at::bincount(choices.experts, {}, probabilities.size(1));
  const int64_t* begin = counts.const_data_ptr<int64_t>();
  choices.many.assign(begin, begin + counts.numel());
  return choices;
}

// The first `capacity` choices of every expert.
at::Tensor cut(const Choices& choices, int64_t capacity) {
  std::vector<at::Tensor> kept;
  int64_t begin = 0;
  for (const int64_t many : choices.many) {
    kept.push_back(choices.grouped.narrow(0, begin, std::min(many, capacity)));
    begin += many;
  }
  return at::cat(kept);
}

at::Tensor balance_loss_of(const at::Tensor& probabilities, const Choices& choices, double weight) {
  const at::Tensor shares =
      at::tensor(choices.many, at::kLong).to(probabilities.scalar_type()) / double(choices.experts.numel());
  return (shares * probabilities.mean(0)).sum() * (weight * double(probabilities.size(1)));
}

// `capacity` 0: no limit.
ExpertAssignment chosen_by_tokens(const at::Tensor& probabilities, const Choices& choices, int64_t capacity) {
  const int64_t tokens = probabilities.size(0), experts = probabilities.size(1);
  const at::Tensor kept = capacity > 0 ? cut(choices, capacity) : choices.grouped;
  ExpertAssignment assignment;
  assignment.tokens = at::remainder(kept, tokens);
  const at::Tensor places = assignment.tokens * experts + choices.experts.index_select(0, kept);
  assignment.weights = probabilities.reshape({-1}).index_select(0, places);
  assignment.loads = choices.many;
  if (capacity > 0) {
    for (int64_t& load : assignment.loads) load = std::min(load, capacity);
  }
  assignment.capacity = capacity;
  assignment.refused = choices.experts.numel() - kept.numel();
  return assignment;
}

ExpertUse use_of(const ExpertAssignment& assignment, int64_t tokens) {
  const at::Tensor computed = at::zeros({tokens}, at::kBool).index_fill_(0, assignment.tokens, true);
  const int64_t dropped = tokens - computed.sum().item<int64_t>();
  return {tokens, assignment.capacity, assignment.refused, dropped, assignment.loads};
}

}  // namespace

ExpertAssignment assign_experts(const at::Tensor& probabilities, const ExpertConfig& config, bool training) {
  const int64_t capacity = training ? capacity_of(config, probabilities.size(0)) : 0;
  if (config.routing == ExpertRouting::kExpertChoice) {
    if (training) return taken_by_experts(probabilities, capacity);
    return chosen_by_tokens(probabilities, choose(probabilities, 1), 0);
  }
  const Choices choices = choose(probabilities, config.top_k);
  ExpertAssignment assignment = chosen_by_tokens(probabilities, choices, capacity);
  if (training && config.balance_loss > 0) {
    assignment.balance_loss = balance_loss_of(probabilities, choices, config.balance_loss);
  }
  return assignment;
}

double ExpertUse::capacity_used() const {
  if (capacity == 0) return 1;
  const int64_t rows = std::accumulate(loads.begin(), loads.end(), int64_t{0});
  return static_cast<double>(rows) / static_cast<double>(capacity * static_cast<int64_t>(loads.size()));
}

MixtureOfExperts::MixtureOfExperts(const ExpertConfig& config, int64_t hidden)
    : config_(config),
      hidden_(hidden),
      router_(hidden, config.num_experts, false),
      gate_(at::empty({config.num_experts, config.intermediate_size, hidden}, at::kFloat)),
      up_(at::empty_like(gate_)),
      down_(at::empty({config.num_experts, hidden, config.intermediate_size}, at::kFloat)) {}

void MixtureOfExperts::collect(const std::string& name, ParameterList& list) {
  const Initializer in = Initializer::truncated_normal(1 / std::sqrt(static_cast<double>(hidden_)));
  const Initializer out = Initializer::truncated_normal(1 / std::sqrt(static_cast<double>(config_.intermediate_size)));
  router_.collect(name + ".router", in, list);
  list.push_back({name + ".experts.gate_proj.weight", &gate_, in});
  list.push_back({name + ".experts.up_proj.weight", &up_, in});
  list.push_back({name + ".experts.down_proj.weight", &down_, out});
}

void MixtureOfExperts::freeze(at::ScalarType dtype) {
  for (at::Tensor* weight : {&gate_, &up_, &down_}) *weight = frozen(*weight, dtype);
}

// Experts of one load are one batched product. Weights stand on the left, so that their gradients come out as the
// weights lie; what is turned around for that are the rows, which are few beside them.
at::Tensor MixtureOfExperts::compute_evenly(const at::Tensor& rows) const {
  const at::ScalarType dtype = rows.scalar_type();
  const at::Tensor x = rows.view({config_.num_experts, -1, hidden_}).transpose(1, 2);  // [E, d, C]
  const at::Tensor middle = ops::swiglu(at::bmm(gate_.to(dtype), x), at::bmm(up_.to(dtype), x));
  return at::bmm(down_.to(dtype), middle).transpose(1, 2).reshape({-1, hidden_});
}

// One product an expert, of all its rows; an expert without any costs nothing, which is what decoding needs.
at::Tensor MixtureOfExperts::compute_in_turn(const at::Tensor& rows, const std::vector<int64_t>& loads) const {
  const at::ScalarType dtype = rows.scalar_type();
  const std::vector<at::Tensor> parts = rows.split_with_sizes(loads);
  // unbind, not select: its gradient is one stack, and select's a whole tensor of zeros for each expert.
  const std::vector<at::Tensor> gates = gate_.unbind(), ups = up_.unbind(), downs = down_.unbind();
  std::vector<at::Tensor> results;
  for (size_t e = 0; e < loads.size(); ++e) {
    if (loads[e] == 0) continue;
    const at::Tensor gate = at::linear(parts[e], gates[e].to(dtype)), up = at::linear(parts[e], ups[e].to(dtype));
    results.push_back(at::linear(ops::swiglu(gate, up), downs[e].to(dtype)));
  }
  return results.size() == 1 ? results[0] : at::cat(results);
}

at::Tensor MixtureOfExperts::compute(const at::Tensor& rows, const std::vector<int64_t>& loads) const {
  const bool even = std::all_of(loads.begin(), loads.end(), [&](int64_t load) { return load == loads[0]; });
  return even ? compute_evenly(rows) : compute_in_turn(rows, loads);
}

at::Tensor MixtureOfExperts::forward(const at::Tensor& input, const ForwardContext& context) const {
  const at::Tensor x = input.reshape({-1, hidden_});
  const at::ScalarType wide = x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const at::Tensor probabilities = at::softmax(router_.forward(x.to(wide)), -1);
  const ExpertAssignment assignment = assign_experts(probabilities, config_, context.pass->training);
  const at::Tensor results = compute(x.index_select(0, assignment.tokens), assignment.loads);
  const at::Tensor weighted = results.to(wide) * assignment.weights.unsqueeze(1);
  const at::Tensor y = at::zeros(x.sizes(), weighted.options()).index_add_(0, assignment.tokens, weighted);
  if (context.pass->training) {
    context.pass->expert_use.push_back(use_of(assignment, x.size(0)));
    if (assignment.balance_loss.defined()) {
      at::Tensor& sum = context.pass->balance_loss;
      sum = sum.defined() ? sum + assignment.balance_loss : assignment.balance_loss;
    }
  }
  return y.to(x.scalar_type()).view(input.sizes());
}

}  // namespace memlayers::layers
