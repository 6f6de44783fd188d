#include "evaluation/capacity/capacity.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <optional>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/random.h"
#include "generation/engine.h"
#include "model/transformer.h"

namespace memlayers::evaluation {
namespace {

constexpr size_t kPeopleAtOnce = 256;
constexpr int kResamplings = 1000;

/// Nats of every passage, [people measured, passages of a person].
struct NatsTable {
  size_t people = 0, columns = 0;
  std::vector<double> nats;

  /// Mean of each column over `rows`, which may repeat.
  std::vector<double> means(const std::vector<uint32_t>& rows) const {
    std::vector<double> sums(columns, 0.0);
    for (const size_t row : rows) {
      for (size_t c = 0; c < columns; ++c) sums[c] += nats[row * columns + c];
    }
    for (double& sum : sums) sum /= static_cast<double>(rows.size());
    return sums;
  }
};

std::vector<uint32_t> people_to_measure(size_t people, int64_t limit) {
  std::vector<uint32_t> order(people);
  std::iota(order.begin(), order.end(), 0U);
  base::RandomStream(1, "people measured").shuffle(order);
  if (limit > 0) order.resize(std::min(people, static_cast<size_t>(limit)));
  return order;
}

NatsTable score_people(const CapacityPassages& passages, const std::vector<uint32_t>& people, const TailNats& nats,
                       const std::string& progress_title) {
  std::optional<base::Progress> progress;
  if (!progress_title.empty()) progress.emplace(progress_title, people.size(), "people");
  NatsTable table{0, passages.count(), {}};
  for (size_t begin = 0; begin < people.size() && !base::interrupted(); begin += kPeopleAtOnce) {
    const size_t end = std::min(people.size(), begin + kPeopleAtOnce);
    std::vector<ScoredPassage> all;
    for (size_t i = begin; i < end; ++i) {
      std::vector<ScoredPassage> own = passages.passages(people[i]);
      std::move(own.begin(), own.end(), std::back_inserter(all));
    }
    const std::vector<double> scored = nats(all);
    for (const double value : scored) {
      if (!std::isfinite(value)) throw base::Error("capacity: the model gives probabilities that are not finite");
    }
    table.nats.insert(table.nats.end(), scored.begin(), scored.end());
    table.people = end;
    if (progress) progress->update(end);
  }
  if (progress) progress->finish();
  return table;
}

/// results::Bits of all people, from the mean nats of each column. One function for the estimate and for every
/// resampling.
struct Terms {
  double name = 0, values_stored = 0, values_extractable = 0;
  std::vector<double> stored, extractable;  // by attribute

  Terms(const data::Biographies& data, const std::vector<double>& means, size_t opening, size_t openings) {
    const auto people = static_cast<double>(data.people.size());
    const auto bits = [&](int64_t alternatives, double nats) {
      return people * std::max(0.0, std::log2(static_cast<double>(alternatives)) - nats * std::numbers::log2e);
    };
    name = bits(data.names, means[opening]);
    const size_t attributes = data.attributes.size();
    for (size_t a = 0; a < attributes; ++a) {
      stored.push_back(bits(data.attributes[a].values, means[openings + a]));
      extractable.push_back(bits(data.attributes[a].values, means[openings + attributes + a]));
      values_stored += stored.back();
      values_extractable += extractable.back();
    }
  }
};

/// The bounds of the middle 95 %.
results::Bits interval(double value, std::vector<double> resampled) {
  std::sort(resampled.begin(), resampled.end());
  const size_t cut = resampled.size() / 40;
  return {value, resampled[cut], resampled[resampled.size() - 1 - cut]};
}

template <class Part>
results::Bits interval_of(const Terms& estimate, const std::vector<Terms>& resampled, const Part& part) {
  std::vector<double> values;
  values.reserve(resampled.size());
  for (const Terms& terms : resampled) values.push_back(part(terms));
  return interval(part(estimate), std::move(values));
}

void fill(results::Capacity& capacity, const data::Biographies& data, const NatsTable& table,
          const std::vector<std::string>& openings) {
  std::vector<uint32_t> rows(table.people);
  std::iota(rows.begin(), rows.end(), 0U);
  const std::vector<double> means = table.means(rows);
  const size_t opening =
      std::min_element(means.begin(), means.begin() + static_cast<std::ptrdiff_t>(openings.size())) - means.begin();
  const Terms estimate(data, means, opening, openings.size());
  std::vector<Terms> resampled;
  for (int i = 0; i < kResamplings; ++i) {
    base::RandomStream draw(1, "resampled people", i);
    for (uint32_t& row : rows) row = static_cast<uint32_t>(draw.below(table.people));
    resampled.emplace_back(data, table.means(rows), opening, openings.size());
  }
  capacity.name_nats = means[opening];
  capacity.name_opening = openings[opening];
  capacity.name = interval_of(estimate, resampled, [](const Terms& terms) { return terms.name; });
  for (size_t a = 0; a < data.attributes.size(); ++a) {
    results::AttributeCapacity& attribute = capacity.attributes[a];
    attribute.trained_nats = means[openings.size() + a];
    attribute.held_out_nats = means[openings.size() + data.attributes.size() + a];
    attribute.stored = interval_of(estimate, resampled, [a](const Terms& terms) { return terms.stored[a]; });
    attribute.extractable = interval_of(estimate, resampled, [a](const Terms& terms) { return terms.extractable[a]; });
  }
  capacity.values_stored = interval_of(estimate, resampled, [](const Terms& terms) { return terms.values_stored; });
  capacity.values_extractable =
      interval_of(estimate, resampled, [](const Terms& terms) { return terms.values_extractable; });
  capacity.stored =
      interval_of(estimate, resampled, [](const Terms& terms) { return terms.name + terms.values_stored; });
}

/// What the data is, whatever the model.
results::Capacity capacity_of(const data::Biographies& data) {
  results::Capacity capacity;
  capacity.people = static_cast<int64_t>(data.people.size());
  capacity.names = data.names;
  const auto people = static_cast<double>(capacity.people);
  capacity.most_bits = capacity.most_name_bits = people * std::log2(static_cast<double>(data.names) / people);
  for (const data::BiographyAttribute& attribute : data.attributes) {
    results::AttributeCapacity& own = capacity.attributes.emplace_back();
    own.name = attribute.name;
    own.values = attribute.values;
    own.most_bits = people * std::log2(static_cast<double>(attribute.values));
    capacity.most_bits += own.most_bits;
  }
  return capacity;
}

}  // namespace

results::Capacity estimate_capacity(const data::Biographies& biographies, const text::Tokenizer& tokenizer,
                                    const TailNats& nats, const CapacityOptions& options) {
  const CapacityPassages passages(biographies, tokenizer);
  results::Capacity capacity = capacity_of(biographies);
  const std::vector<uint32_t> people = people_to_measure(biographies.people.size(), options.limit);
  const NatsTable table = score_people(passages, people, nats, options.progress_title);
  capacity.measured = static_cast<int64_t>(table.people);
  if (table.people > 0) fill(capacity, biographies, table, passages.openings());
  return capacity;
}

results::Capacity measure_capacity(model::Transformer& model, const text::Tokenizer& tokenizer,
                                   const data::Biographies& biographies, const CapacityOptions& options) {
  const results::StoredSize size = store_weights(model, options.tables, options.weights);
  generation::Engine engine(model);
  const TailNats nats = [&](const std::vector<ScoredPassage>& passages) {
    std::vector<std::vector<int64_t>> heads, tails;
    for (const ScoredPassage& passage : passages) {
      heads.push_back(passage.head);
      tails.push_back(passage.tail);
    }
    std::vector<double> scores = engine.log_likelihood(heads, tails);
    for (double& score : scores) score = -score;
    return scores;
  };
  results::Capacity capacity = estimate_capacity(biographies, tokenizer, nats, options);
  capacity.size = size;
  capacity.table_format = options.tables;
  capacity.weight_format = options.weights;
  return capacity;
}

}  // namespace memlayers::evaluation
