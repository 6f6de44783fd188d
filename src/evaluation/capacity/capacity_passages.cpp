#include "evaluation/capacity/capacity_passages.h"

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "base/random.h"

namespace memlayers::evaluation {
namespace {

constexpr const char *kSubject = "[X]", *kAnswer = "[Y]";

/// What a wording says before the name.
std::string before_subject(const std::string& wording) { return wording.substr(0, wording.find(kSubject)); }

const std::string& drawn(const std::vector<std::string>& wordings, base::RandomStream& draw) {
  return wordings[draw.below(wordings.size())];
}

}  // namespace

ScoredPassage passage(const text::Tokenizer& tokenizer, const std::string& text, size_t begin, size_t end) {
  const std::vector<int32_t> ids = tokenizer.encode(text);
  // A cut after some tokens is known to lie at the end of their text, unless it splits a character.
  size_t first = 0, last = ids.size();
  std::vector<int32_t> before;
  for (size_t tokens = 0; tokens <= ids.size(); ++tokens) {
    if (tokens > 0) before.push_back(ids[tokens - 1]);
    const std::string said = tokenizer.decode(before);
    if (said.size() > text.size() || text.compare(0, said.size(), said) != 0) continue;
    if (said.size() <= begin) first = tokens;
    if (said.size() >= end) {
      last = tokens;
      break;
    }
  }
  const std::vector<int32_t> opening = tokenizer.before_text();
  ScoredPassage result{{opening.begin(), opening.end()}, {}};
  const auto at = [&](size_t token) { return ids.begin() + static_cast<std::ptrdiff_t>(token); };
  result.head.insert(result.head.end(), ids.begin(), at(first));
  result.tail.assign(at(first), at(last));
  return result;
}

CapacityPassages::CapacityPassages(const data::Biographies& biographies, const text::Tokenizer& tokenizer)
    : biographies_(biographies), tokenizer_(tokenizer) {
  base::check(!biographies.people.empty(), "capacity: there are no people to count the bits of");
  std::optional<Opening> none, some;
  for (size_t a = 0; a < biographies.attributes.size(); ++a) {
    for (const std::string& wording : biographies.attributes[a].trained) {
      const std::string opening = before_subject(wording);
      if (opening.empty() && !none) none = {a, wording};
      const bool shorter = !some || opening.size() < before_subject(some->wording).size();
      if (!opening.empty() && shorter) some = {a, wording};
    }
  }
  for (const auto& found : {none, some}) {
    if (!found) continue;
    opening_wordings_.push_back(*found);
    openings_.push_back(before_subject(found->wording));
  }
}

ScoredPassage CapacityPassages::name_passage(const data::Person& person, const Opening& opening) const {
  const size_t begin = before_subject(opening.wording).size();
  return passage(tokenizer_, data::render(opening.wording, person.name, person.values[opening.attribute]), begin,
                 begin + person.name.size());
}

ScoredPassage CapacityPassages::value_passage(const data::Person& person, size_t attribute,
                                              const std::string& wording) const {
  const std::string& value = person.values[attribute];
  const size_t begin = data::render(wording.substr(0, wording.find(kAnswer)), person.name, "").size();
  return passage(tokenizer_, data::render(wording, person.name, value), begin, begin + value.size());
}

std::vector<ScoredPassage> CapacityPassages::passages(size_t index) const {
  const data::Person& person = biographies_.people[index];
  base::RandomStream draw(1, "wordings of people", index);
  std::vector<ScoredPassage> result;
  for (const Opening& opening : opening_wordings_) result.push_back(name_passage(person, opening));
  for (const bool trained : {true, false}) {
    for (size_t a = 0; a < biographies_.attributes.size(); ++a) {
      const data::BiographyAttribute& attribute = biographies_.attributes[a];
      result.push_back(value_passage(person, a, drawn(trained ? attribute.trained : attribute.held_out, draw)));
    }
  }
  return result;
}

}  // namespace memlayers::evaluation
