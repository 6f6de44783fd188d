// Synthetic people in the manner of bioS (Allen-Zhu and Li, "Physics of Language Models: Part 3.1", 2023): six
// attributes each, told in several wordings and in random order. No person of any pretraining text, so what a model
// knows of them it has read here.
#pragma once

#include "data/sources/fact.h"

namespace memlayers::data {

inline constexpr int64_t kBiographyAttributes = 6;

/// The full name of person `index` (400 x 400 x 1,000 names; all differ). Throws UsageError beyond that.
std::string person_name(uint64_t seed, int64_t index);

/// How many names there are to draw from.
int64_t person_name_count();

/// How many values each attribute is drawn from, all equally likely and independent of each other and of the name. The
/// city of the employer is drawn once for each employer, so of a person it has one value given the others.
std::vector<int64_t> biography_value_counts();

/// Facts of people 0 ... people - 1; those of person p are facts [6 p, 6 p + 6): birth date, birth city, university,
/// major, employer, city of the employer. Person p is the same whatever `people` is. Throws UsageError where there are
/// fewer names.
FactSet biography_facts(uint64_t seed, int64_t people);

}  // namespace memlayers::data
