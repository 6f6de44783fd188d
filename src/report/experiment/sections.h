// The sections of the page; each is empty where there is nothing to say.
#pragma once

#include <string>
#include <vector>

#include "report/experiment/contest.h"
#include "results/comparison.h"

namespace memlayers::report {

/// The headline and what to know about it.
std::string answer_section(const results::Comparison& comparison, const std::string& metric);
/// Cards: who leads at equal tokens, FLOPs and seconds, by `wanted` where it was measured on the way.
std::string equal_cost_section(const results::Comparison& comparison, const std::vector<Variant>& variants,
                               const std::string& wanted);
std::string examples_section(const results::Comparison& comparison);
/// Under the chart of a step's time: for each variant its groups of operations against their limits, and how those were
/// obtained.
std::string step_tables(const results::Comparison& comparison, const std::vector<Variant>& variants);
/// Machine, commit, command and what the words mean.
std::string method_section(const results::Comparison& comparison);

}  // namespace memlayers::report
