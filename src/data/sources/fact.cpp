#include "data/sources/fact.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/random.h"
#include "base/utf8.h"

namespace memlayers::data {
namespace {

constexpr std::string_view kSubject = "[X]", kAnswer = "[Y]";

// Both marks are replaced in one pass, so a subject that holds "[Y]" stays as it is.
std::string put_in(std::string_view wording, const std::string& subject, const std::string& answer) {
  std::string text;
  while (!wording.empty()) {
    if (wording.starts_with(kSubject) || wording.starts_with(kAnswer)) {
      text += wording.starts_with(kSubject) ? subject : answer;
      wording.remove_prefix(kSubject.size());
    } else {
      text += wording.front();
      wording.remove_prefix(1);
    }
  }
  return text;
}

using Key = std::pair<int32_t, std::string>;

}  // namespace

std::map<std::string, int64_t> FactSet::counts() const {
  std::map<std::string, int64_t> counts;
  for (const Fact& fact : facts) ++counts[relations[fact.relation].name];
  return counts;
}

bool ends_with_answer(const std::string& wording) {
  const size_t answer = wording.find(kAnswer), subject = wording.find(kSubject);
  if (answer == std::string::npos || answer == 0 || (subject != std::string::npos && subject > answer)) return false;
  return wording.find_first_not_of(" .!?", answer + kAnswer.size()) == std::string::npos && wording[answer - 1] == ' ';
}

std::string render(const std::string& wording, const std::string& subject, const std::string& answer) {
  return put_in(wording, subject, answer);
}

std::string text_before_answer(const std::string& wording, const std::string& subject) {
  return std::string(base::trimmed(put_in(std::string_view(wording).substr(0, wording.find(kAnswer)), subject, "")));
}

std::string render_prompt(const std::string& wording, const std::string& subject) {
  assert(ends_with_answer(wording));
  return text_before_answer(wording, subject);
}

std::string text_after_answer(const std::string& wording) {
  return wording.substr(wording.find(kAnswer) + kAnswer.size());
}

std::vector<std::string> trained_wordings(const FactSet& set, const Fact& fact) {
  const Relation& relation = set.relations[fact.relation];
  if (relation.trained.empty() && !fact.question.empty()) return {fact.question + " [Y]."};
  return relation.trained;
}

std::vector<std::string> held_out_wordings(const FactSet& set, const Fact& fact) {
  const Relation& relation = set.relations[fact.relation];
  std::vector<std::string> wordings = relation.held_out;
  if (relation.trained.empty() || fact.question.empty()) return wordings;
  const std::string question = fact.question + " [Y].", prompt = text_before_answer(question, fact.subject);
  const auto same = [&](const std::string& other) { return text_before_answer(other, fact.subject) == prompt; };
  if (std::ranges::none_of(relation.trained, same) && std::ranges::none_of(relation.held_out, same)) {
    wordings.push_back(question);
  }
  return wordings;
}

void merge_answers(FactSet& set) {
  std::map<std::pair<Key, std::string>, size_t> places;
  std::vector<Fact> merged;
  for (Fact& fact : set.facts) {
    const auto [place, added] = places.try_emplace({{fact.relation, fact.subject}, fact.question}, merged.size());
    if (added) {
      merged.push_back(std::move(fact));
      continue;
    }
    Fact& first = merged[place->second];
    for (std::string& answer : fact.answers) {
      if (std::find(first.answers.begin(), first.answers.end(), answer) == first.answers.end()) {
        first.answers.push_back(std::move(answer));
      }
    }
  }
  set.facts = std::move(merged);
}

void drop_ambiguous(FactSet& set) {
  std::map<Key, std::set<std::vector<std::string>>> answers;
  for (const Fact& fact : set.facts) answers[{fact.relation, fact.subject}].insert(fact.answers);
  std::set<Key> kept;
  std::vector<Fact> facts;
  for (Fact& fact : set.facts) {
    const Key key{fact.relation, fact.subject};
    if (answers[key].size() > 1) {
      ++set.left_out["ambiguous subject"];
    } else if (!kept.insert(key).second) {
      ++set.left_out["repeated"];
    } else {
      facts.push_back(std::move(fact));
    }
  }
  set.facts = std::move(facts);
}

void keep_relations(FactSet& set, const std::vector<std::string>& names) {
  if (names.empty()) return;
  std::vector<bool> kept(set.relations.size(), false);
  for (const std::string& name : names) {
    const auto named = [&](const Relation& relation) { return relation.name == name; };
    const auto found = std::find_if(set.relations.begin(), set.relations.end(), named);
    if (found == set.relations.end()) {
      std::string known;
      for (const Relation& relation : set.relations) known += (known.empty() ? "" : ", ") + relation.name;
      throw base::UsageError(base::concat("sources: relations: no relation \"", name, "\" here; there are ", known));
    }
    kept[found - set.relations.begin()] = true;
  }
  const size_t size = set.facts.size();
  std::erase_if(set.facts, [&](const Fact& fact) { return !kept[fact.relation]; });
  if (size > set.facts.size()) set.left_out["of other relations"] += static_cast<int64_t>(size - set.facts.size());
}

void limit_facts(FactSet& set, int64_t limit, uint64_t seed) {
  const int64_t size = static_cast<int64_t>(set.facts.size());
  if (limit <= 0 || limit >= size) return;
  // The i-th fact of a relation has its turn at time (i + 1/2) / share.
  std::vector<std::vector<int64_t>> by_relation(set.relations.size());
  for (int64_t i = 0; i < size; ++i) by_relation[set.facts[i].relation].push_back(i);
  std::vector<std::pair<double, int64_t>> turns;
  for (size_t r = 0; r < by_relation.size(); ++r) {
    base::RandomStream(seed, "facts of " + set.relations[r].name).shuffle(by_relation[r]);
    for (size_t i = 0; i < by_relation[r].size(); ++i) {
      turns.emplace_back((static_cast<double>(i) + 0.5) / set.relations[r].share, by_relation[r][i]);
    }
  }
  std::sort(turns.begin(), turns.end());
  std::vector<int64_t> kept;
  kept.reserve(limit);
  for (int64_t i = 0; i < limit; ++i) kept.push_back(turns[i].second);
  std::sort(kept.begin(), kept.end());
  std::vector<Fact> facts;
  for (const int64_t i : kept) facts.push_back(std::move(set.facts[i]));
  set.left_out["beyond limit_facts"] += size - limit;
  set.facts = std::move(facts);
}

std::vector<Question> fact_questions(const FactSet& set, uint64_t seed, bool trained) {
  std::vector<Question> questions;
  for (size_t i = 0; i < set.facts.size(); ++i) {
    const Fact& fact = set.facts[i];
    const auto ask = [&](const std::string& wording, bool seen) {
      questions.push_back({static_cast<int64_t>(questions.size()), set.relations[fact.relation].name, fact.subject,
                           seen, render_prompt(wording, fact.subject), fact.answers, text_after_answer(wording)});
    };
    for (const std::string& wording : held_out_wordings(set, fact)) ask(wording, false);
    std::vector<std::string> seen = trained_wordings(set, fact);
    std::erase_if(seen, [](const std::string& wording) { return !ends_with_answer(wording); });
    if (!seen.empty()) ask(seen[base::RandomStream(seed, "asked wording", i).below(seen.size())], trained);
  }
  return questions;
}

}  // namespace memlayers::data
