#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/random.h"
#include "data/sources/document_source.h"

namespace memlayers::data {
namespace {

using base::concat;
using base::RandomStream;

/// Sentences in rounds: in a round every fact comes once, in an order of the round's own, each in the wording whose
/// turn it is; after as many rounds as a fact has wordings each was used once. A document holds sentences of one round,
/// so no fact twice. After the rounds come the validation documents: facts in held-out wordings.
class FactSource : public DocumentSource {
 public:
  FactSource(FactSet set, const PrepareSource& config, const SourceSeed& seed)
      : set_(std::move(set)), per_document_(config.facts_per_document), use_(config.use), seed_(seed) {
    for (const Fact& fact : set_.facts) {
      const uint64_t wordings = trained_wordings(set_, fact).size();
      sentences_ += wordings;
      rounds_ = std::max(rounds_, wordings);
    }
    if (use_ == SourceUse::kAsk || set_.facts.empty()) rounds_ = sentences_ = 0;
    start();
  }

  void start() override {
    round_ = position_ = done_ = 0;
    choose_validation();
    next_validation_ = 0;
  }

  bool next(DocumentPart& part) override {
    part = {};
    for (; part.text.empty() && round_ < rounds_; end_round_if_done()) fill_training(part);
    if (!part.text.empty()) return true;
    part.validation = true;
    for (int64_t i = 0; i < per_document_ && next_validation_ < validation_.size(); ++i) {
      const size_t fact = validation_[next_validation_++];
      const auto wordings = held_out_wordings(set_, set_.facts[fact]);
      RandomStream stream(seed_.seed, concat("validation wording ", seed_.index), fact);
      add_sentence(part, wordings[stream.below(wordings.size())], fact, 0);
    }
    return !part.text.empty();
  }

  Position position() const override { return {done_, sentences_ + validation_.size(), "sentences"}; }

  std::vector<Question> questions() const override {
    if (use_ == SourceUse::kTrain) return {};
    return fact_questions(set_, seed_.seed, use_ != SourceUse::kAsk);
  }

  nlohmann::ordered_json report() const override {
    auto report = fact_report(set_);
    const size_t facts = set_.facts.size();
    report["sentences"] = sentences_;
    report["exposures_per_epoch"] = facts == 0 ? 0.0 : static_cast<double>(sentences_) / static_cast<double>(facts);
    return report;
  }

 private:
  void choose_validation() {
    validation_.clear();
    if (use_ == SourceUse::kAsk || seed_.validation_share <= 0) return;
    for (size_t fact = 0; fact < set_.facts.size(); ++fact) {
      if (!held_out_wordings(set_, set_.facts[fact]).empty()) validation_.push_back(fact);
    }
    RandomStream(seed_.seed, concat("validation facts ", seed_.index)).shuffle(validation_);
    const double wanted = std::ceil(seed_.validation_share * static_cast<double>(validation_.size()));
    validation_.resize(std::min(validation_.size(), static_cast<size_t>(wanted)));
  }

  void fill_training(DocumentPart& part) {
    const uint64_t facts = set_.facts.size();
    RandomStream keys(seed_.seed, concat("sentence order ", seed_.index), round_);
    const uint64_t key = keys.next();
    for (int64_t i = 0; i < per_document_ && position_ < facts;) {
      const size_t index = base::permuted(position_++, facts, key);
      const auto wordings = trained_wordings(set_, set_.facts[index]);
      if (round_ >= wordings.size()) continue;  // relations with fewer wordings sit out the last rounds
      RandomStream first(seed_.seed, concat("first wording ", seed_.index), index);
      add_sentence(part, wordings[(round_ + first.below(wordings.size())) % wordings.size()], index, round_);
      ++i;
    }
  }

  void end_round_if_done() {
    if (position_ < set_.facts.size()) return;
    position_ = 0;
    ++round_;
  }

  void add_sentence(DocumentPart& part, const std::string& wording, size_t index, uint64_t turn) {
    const Fact& fact = set_.facts[index];
    if (!part.text.empty()) part.text += ' ';
    part.text += render(wording, fact.subject, fact.answers[turn % fact.answers.size()]);
    ++done_;
  }

  FactSet set_;
  int64_t per_document_;
  SourceUse use_;
  SourceSeed seed_;
  uint64_t sentences_ = 0, rounds_ = 0;
  uint64_t round_ = 0, position_ = 0, done_ = 0;
  std::vector<size_t> validation_;
  size_t next_validation_ = 0;
};

}  // namespace

nlohmann::ordered_json fact_report(const FactSet& set) {
  nlohmann::ordered_json relations = nlohmann::ordered_json::object(), left_out = nlohmann::ordered_json::object();
  for (const auto& [name, count] : set.counts()) relations[name] = count;
  for (const auto& [reason, count] : set.left_out) left_out[reason] = count;
  return {{"facts", set.facts.size()}, {"relations", relations}, {"left_out", left_out}};
}

std::unique_ptr<DocumentSource> open_fact_source(FactSet facts, const PrepareSource& config, const SourceSeed& seed) {
  keep_relations(facts, config.relations);
  limit_facts(facts, config.limit_facts, seed.seed);
  return std::make_unique<FactSource>(std::move(facts), config, seed);
}

}  // namespace memlayers::data
