#include "data/sources/fact_files.h"

#include <algorithm>

#include "base/utf8.h"
#include "data/sources/json_lines.h"

namespace memlayers::data {
namespace {

namespace fs = std::filesystem;
const std::vector<std::string> kAnswerFields = {"answers", "answer", "objects", "object"};

struct Pattern {
  std::string text;
  bool held_out = false;
};
using Patterns = std::map<std::string, std::vector<Pattern>>;

/// "[X] owner [Y] ." -> "[X] owner [Y].": one form of end for all.
std::string tidy(const std::string& pattern) {
  std::string text(base::trimmed(pattern));
  while (!text.empty() && (text.back() == '.' || text.back() == ' ')) text.pop_back();
  return text.ends_with('!') || text.ends_with('?') ? text : text + ".";
}

Patterns read_patterns(const fs::path& path) {
  Patterns patterns;
  JsonLines lines(path);
  while (lines.next()) {
    const Pattern pattern{tidy(lines.text("pattern")), lines.optional_flag("held_out").value_or(false)};
    if (pattern.text.find("[X]") == std::string::npos || pattern.text.find("[Y]") == std::string::npos) {
      lines.fail("a pattern needs [X] for the subject and [Y] for the answer: \"" + pattern.text + "\"");
    }
    if (pattern.held_out && !ends_with_answer(pattern.text)) {
      lines.fail("a held-out pattern is asked, so it must end with \" [Y]\": \"" + pattern.text + "\"");
    }
    patterns[lines.text("relation")].push_back(pattern);
  }
  return patterns;
}

/// What is asked of a pattern, and what two patterns must not share when one is trained and the other held out.
std::string prompt_of(const Pattern& pattern) {
  const size_t subject = pattern.text.find("[X]"), answer = pattern.text.find("[Y]");
  return std::string(base::trimmed(subject < answer ? std::string_view(pattern.text).substr(0, answer) : pattern.text));
}

/// Leaves one of equal patterns, held out if any of them is marked so; no other pattern keeps a marked one's prompt.
void remove_repeated(std::vector<Pattern>& patterns) {
  std::map<std::string, size_t> places, marked;
  std::vector<Pattern> kept;
  for (const Pattern& pattern : patterns) {
    const auto [place, added] = places.try_emplace(pattern.text, kept.size());
    if (added) kept.push_back(pattern);
    kept[place->second].held_out |= pattern.held_out;
  }
  for (size_t i = 0; i < kept.size(); ++i) {
    if (kept[i].held_out) marked.try_emplace(prompt_of(kept[i]), i);
  }
  patterns.clear();
  for (size_t i = 0; i < kept.size(); ++i) {
    const auto found = marked.find(prompt_of(kept[i]));
    if (found == marked.end() || found->second == i) patterns.push_back(kept[i]);
  }
}

void hold_out_last(std::vector<Pattern>& patterns, int64_t held_out) {
  const auto marked = [](const Pattern& pattern) { return pattern.held_out; };
  if (patterns.size() < 2 || std::any_of(patterns.begin(), patterns.end(), marked)) return;
  int64_t left = std::min<int64_t>(held_out, std::max<int64_t>(1, static_cast<int64_t>(patterns.size()) / 3));
  std::map<std::string, int> prompts;
  for (const Pattern& pattern : patterns) ++prompts[prompt_of(pattern)];
  for (auto pattern = patterns.rbegin(); pattern != patterns.rend() && left > 0; ++pattern) {
    if (!ends_with_answer(pattern->text) || prompts[prompt_of(*pattern)] > 1) continue;
    pattern->held_out = true;
    --left;
  }
}

/// Index of a relation by name, added when new.
int32_t relation_index(FactSet& set, std::map<std::string, int32_t>& indices, const std::string& name) {
  const auto [place, added] = indices.try_emplace(name, static_cast<int32_t>(set.relations.size()));
  if (added) set.relations.push_back({name, 1.0, {}, {}});
  return place->second;
}

void add_wordings(FactSet& set, Patterns patterns, int64_t held_out) {
  for (Relation& relation : set.relations) {
    auto& own = patterns[relation.name];
    remove_repeated(own);
    hold_out_last(own, held_out);
    for (const Pattern& pattern : own)
      (pattern.held_out ? relation.held_out : relation.trained).push_back(pattern.text);
  }
}

}  // namespace

FactSet read_facts(const fs::path& facts, const fs::path& patterns, int64_t held_out) {
  FactSet set;
  std::map<std::string, int32_t> indices;
  JsonLines lines(facts);
  while (lines.next()) {
    Fact fact;
    fact.relation = relation_index(set, indices, lines.text("relation"));
    fact.subject = lines.text("subject");
    fact.answers = lines.texts(kAnswerFields);
    fact.question = lines.optional_text("question").value_or("");
    if (fact.answers.empty()) lines.fail("no answer (fields answers, answer, objects or object)");
    set.facts.push_back(std::move(fact));
  }
  merge_answers(set);
  if (!patterns.empty()) add_wordings(set, read_patterns(patterns), held_out);
  const auto wordless = [&](const Fact& fact) { return trained_wordings(set, fact).empty(); };
  const auto dropped = static_cast<int64_t>(std::erase_if(set.facts, wordless));
  if (dropped > 0) set.left_out["no wording for the relation"] = dropped;
  return set;
}

FactSet read_question_pairs(const fs::path& path) {
  FactSet set;
  std::map<std::string, int32_t> indices;
  JsonLines lines(path);
  while (lines.next()) {
    Fact fact;
    fact.relation = relation_index(set, indices, lines.optional_text("relation").value_or("question"));
    const auto question = lines.texts({"question", "prompt"});
    if (question.empty()) lines.fail("no field \"question\"");
    fact.subject = question.front();
    fact.answers = lines.texts(kAnswerFields);
    if (fact.answers.empty()) lines.fail("no answer (fields answers, answer, objects or object)");
    set.facts.push_back(std::move(fact));
  }
  merge_answers(set);
  for (Relation& relation : set.relations) relation.trained = {"Question: [X] Answer: [Y]."};
  return set;
}

}  // namespace memlayers::data
