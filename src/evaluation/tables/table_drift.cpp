#include "evaluation/tables/table_drift.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/error.h"

namespace memlayers::evaluation {
namespace {

constexpr int64_t kRowsAtOnce = 1 << 14;  // converted to float64

/// Squared norms of the rows of now - then and of then, float64 [S].
struct SquaredNorms {
  std::vector<double> distance, then;
};

SquaredNorms squared_norms(const at::Tensor& now, const at::Tensor& then) {
  SquaredNorms norms;
  for (int64_t begin = 0; begin < now.size(0); begin += kRowsAtOnce) {
    const int64_t count = std::min(kRowsAtOnce, now.size(0) - begin);
    const at::Tensor before = then.narrow(0, begin, count).to(at::kDouble);
    const at::Tensor moved = now.narrow(0, begin, count).to(at::kDouble) - before;
    for (const auto& [rows, out] : {std::pair{&moved, &norms.distance}, {&before, &norms.then}}) {
      const at::Tensor sums = rows->square().sum(1).contiguous();
      out->insert(out->end(), sums.const_data_ptr<double>(), sums.const_data_ptr<double>() + count);
    }
  }
  return norms;
}

double relative_of(double distance_squared, double then_squared) {
  if (distance_squared == 0) return 0;
  return then_squared == 0 ? std::numeric_limits<double>::infinity() : std::sqrt(distance_squared / then_squared);
}

double median_of(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*std::max_element(values.begin(), middle) + *middle) / 2;
}

}  // namespace

results::TableDrift table_drift(const std::string& name, const at::Tensor& now, const at::Tensor& then, int64_t top) {
  base::check(now.dim() == 2 && now.sizes() == then.sizes(), name, ": the tables have shapes ", now.sizes(), " and ",
              then.sizes(), "; drift is measured between tables of one shape");
  const SquaredNorms norms = squared_norms(now, then);
  results::TableDrift drift;
  drift.name = name;
  drift.slots = now.size(0);
  drift.histogram.assign(results::drift_edges().size(), 0);
  std::vector<double> relative(norms.then.size()), finite;
  for (size_t row = 0; row < relative.size(); ++row) {
    relative[row] = relative_of(norms.distance[row], norms.then[row]);
    drift.unmoved += relative[row] == 0 ? 1 : 0;
    if (std::isinf(relative[row])) {
      ++drift.from_zero;
      continue;
    }
    finite.push_back(relative[row]);
    drift.largest = std::max(drift.largest, relative[row]);
    if (relative[row] == 0) continue;
    const auto& edges = results::drift_edges();
    ++drift.histogram[std::upper_bound(edges.begin(), edges.end(), relative[row]) - edges.begin()];
  }
  drift.median = median_of(finite);
  drift.whole = relative_of(std::accumulate(norms.distance.begin(), norms.distance.end(), 0.0),
                            std::accumulate(norms.then.begin(), norms.then.end(), 0.0));
  std::vector<int64_t> order(relative.size());
  std::iota(order.begin(), order.end(), int64_t{0});
  const int64_t kept = std::min<int64_t>(top, drift.slots - drift.unmoved);
  std::partial_sort(order.begin(), order.begin() + kept, order.end(), [&](int64_t a, int64_t b) {
    return relative[a] != relative[b] ? relative[a] > relative[b] : a < b;
  });
  for (int64_t i = 0; i < kept; ++i) {
    drift.most.push_back({order[i], relative[order[i]], std::sqrt(norms.distance[order[i]]), 0});
  }
  return drift;
}

std::vector<results::TableDrift> model_drift(const model::Transformer& now, const model::Transformer& then,
                                             const std::string& then_name, int64_t top) {
  base::check(now.tables().size() == then.tables().size(), then_name, ": has ", then.tables().size(),
              " tables, the inspected model ", now.tables().size(), "; drift needs a checkpoint of the same run");
  std::vector<results::TableDrift> drift;
  for (size_t t = 0; t < now.tables().size(); ++t) {
    layers::MemoryTable &to = *now.tables()[t].table, &from = *then.tables()[t].table;
    const at::Tensor after = to.range(0, to.rows()), before = from.range(0, from.rows());
    base::check(to.name() == from.name() && after.sizes() == before.sizes(), then_name, ": ", from.name(),
                " has shape ", before.sizes(), ", the inspected model's ", to.name(), " ", after.sizes(),
                "; drift needs a checkpoint of the same run");
    drift.push_back(table_drift(to.name(), after, before, top));
  }
  return drift;
}

}  // namespace memlayers::evaluation
