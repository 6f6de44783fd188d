// Facts: (relation, subject, answers), and the wordings of each relation, some trained, some held out for asking.
//
// A wording is a sentence with [X] for the subject and [Y] for the answer. What is asked is the text before [Y], so
// only wordings that end with the answer can be asked; others may be trained.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "data/question.h"

namespace memlayers::data {

struct Relation {
  std::string name;
  double share = 1.0;  // of a limited set of facts, relative to the other relations
  std::vector<std::string> trained, held_out;
};

struct Fact {
  int32_t relation = 0;  // index into FactSet::relations
  std::string subject;
  std::vector<std::string> answers;
  std::string question;  // a wording of this fact's own; empty: the relation's wordings alone
};

struct FactSet {
  std::vector<Relation> relations;
  std::vector<Fact> facts;
  std::map<std::string, int64_t> left_out;  // reason -> facts that are not in `facts` for it

  /// Number of facts of each relation that has any.
  std::map<std::string, int64_t> counts() const;
};

/// True when nothing but punctuation follows [Y], and [X] comes before it.
bool ends_with_answer(const std::string& wording);
/// The sentence with subject and answer in their places.
std::string render(const std::string& wording, const std::string& subject, const std::string& answer);
/// The text before the answer, without the space in front of it. The wording ends with the answer.
std::string render_prompt(const std::string& wording, const std::string& subject);

/// What a sentence in this wording ends with after the answer: ".", mostly.
std::string text_after_answer(const std::string& wording);
/// The text before the answer, as render_prompt, of a wording that may go on after it.
std::string text_before_answer(const std::string& wording, const std::string& subject);

/// Wordings that are trained, or held out, for one fact: its relation's and, if it has one, its own question. A
/// question is held out where the relation has trained wordings, and trained where it is all there is; where it reads
/// like one of the relation's wordings it is left to that one.
std::vector<std::string> trained_wordings(const FactSet& set, const Fact& fact);
std::vector<std::string> held_out_wordings(const FactSet& set, const Fact& fact);

/// Merges facts with equal relation, subject and question into one that accepts all their answers.
void merge_answers(FactSet& set);
/// Leaves out every fact whose relation and subject occur with another answer too.
void drop_ambiguous(FactSet& set);

/// Keeps the facts of the named relations (none named: all). Throws UsageError for a name the set does not have.
void keep_relations(FactSet& set, const std::vector<std::string>& names);

/// Keeps `limit` facts (0: all): relations take turns by their shares, each giving its facts in a seeded order, until
/// the limit is reached; a relation that runs out leaves its turns to the others. A smaller limit's facts are all among
/// a larger one's. The facts' order stays.
void limit_facts(FactSet& set, int64_t limit, uint64_t seed);

/// One question in each held-out wording and one in a trained wording (drawn by seed) of every fact. Where the facts
/// are not `trained` at all, no wording counts as seen.
std::vector<Question> fact_questions(const FactSet& set, uint64_t seed, bool trained = true);

}  // namespace memlayers::data
