// Facts out of JSONL files: relation-subject-answer triples with wordings beside them (as PARAREL and EntityQuestions
// publish them), and plain question-answer pairs.
#pragma once

#include <filesystem>

#include "data/sources/fact.h"

namespace memlayers::data {

/// `facts`: lines {"relation", "subject", "answers" or "answer" or "objects" or "object", optional "question"}; facts
/// of equal relation and subject are merged. `patterns` (may be empty): lines {"relation", "pattern": "[X] ... [Y].",
/// optional "held_out"}. Held out are the patterns marked so or, where a relation marks none, its last `held_out` ones
/// that end with the answer, but at most a third (at least one of two). Facts without any wording are left out and
/// counted. Throws IoError "FILE:LINE: reason".
FactSet read_facts(const std::filesystem::path& facts, const std::filesystem::path& patterns, int64_t held_out);

/// Lines {"question" or "prompt", "answers" or "answer" or "objects", optional "relation"}: one trained wording,
/// "Question: ... Answer: ...".
FactSet read_question_pairs(const std::filesystem::path& path);

}  // namespace memlayers::data
