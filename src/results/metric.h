// One number of a run, by name: what charts draw, tables list and criteria decide by.
//
//   recall, recall_seen   share of questions answered exactly, in wordings never read and read
//   f1, nats, nats_seen   means over the questions (nats: minus log-probability of the answer)
//   loss                  mean cross-entropy of training over the last tenth of the steps
//   used_slots, read_kl   share of a table's slots read by the final asking, and KL(reads || even); means over layers
//   seconds, tokens, tokens_per_second, parameters, table_parameters, flops_per_token
//   and every measure of the run by its own name (held-out losses, bits)
#pragma once

#include "results/comparison.h"
#include "results/statistic.h"

namespace memlayers::results {

/// Nothing where the run was not asked or has no measure of that name.
std::optional<double> metric_value(const RunResult& run, const std::string& metric);
/// At one point of a learning curve; nothing where it was not asked, or for a metric that is not measured on the way.
std::optional<double> curve_value(const CurvePoint& point, const std::string& metric);
/// Of the questions that are asked on the way: recall, recall_seen, nats, nats_seen.
bool is_curve_metric(const std::string& metric);
/// The names above, which every run has.
std::vector<std::string> general_metrics();
bool is_general_metric(const std::string& metric);
/// As the metric states: those above, or the measure of that name that a run of the comparison has. True of what none
/// has.
bool higher_is_better(const Comparison& comparison, const std::string& metric);
/// A share of a whole, told in percent.
bool is_share(const std::string& metric);
/// "recall, wordings never read"; a measure's own name with spaces.
std::string metric_label(const std::string& metric);
/// The number as tables show it: shares in percent, counts with a suffix, others with three decimals.
std::string metric_number(const std::string& metric, double value);

/// Over the seeds of a variant that have it.
Statistic metric_statistic(const Comparison& comparison, const std::string& variant, const std::string& metric);

}  // namespace memlayers::results
