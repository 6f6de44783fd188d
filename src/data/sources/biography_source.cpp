#include <cmath>
#include <numeric>

#include "base/error.h"
#include "base/random.h"
#include "data/sources/biographies.h"
#include "data/sources/document_source.h"

namespace memlayers::data {
namespace {

using base::RandomStream;

constexpr int64_t kMostDocuments = int64_t{1} << 40;

FactSet facts_of(const PrepareSource& config, uint64_t seed) {
  base::check(config.people >= 1 && config.copies >= 1 && config.copies <= kMostDocuments / config.people,
              "sources: people * copies: expected 1 to ", kMostDocuments, " biographies, got ", config.people, " * ",
              config.copies);
  return biography_facts(seed, config.people);
}

/// A document is one person's six sentences, in an order and in wordings drawn anew for each copy. After the copies
/// come the validation documents: some of the people again, in held-out wordings.
class BiographySource : public DocumentSource {
 public:
  BiographySource(const PrepareSource& config, const SourceSeed& seed)
      : set_(facts_of(config, seed.seed)), people_(config.people), use_(config.use), seed_(seed) {
    if (use_ != SourceUse::kAsk) {
      training_ = people_ * config.copies;
      validation_ = static_cast<int64_t>(std::ceil(seed.validation_share * static_cast<double>(people_)));
    }
  }

  void start() override { done_ = 0; }

  bool next(DocumentPart& part) override {
    if (done_ >= training_ + validation_) return false;
    part = {};
    part.validation = done_ >= training_;
    const int64_t copy = done_ / people_, position = (part.validation ? done_ - training_ : done_) % people_;
    RandomStream keys(seed_.seed, part.validation ? "people to validate" : "order of people",
                      part.validation ? 0 : copy);
    const int64_t person = static_cast<int64_t>(base::permuted(position, people_, keys.next()));
    RandomStream draw(seed_.seed, "biography", done_);
    std::vector<int64_t> order(kBiographyAttributes);
    std::iota(order.begin(), order.end(), 0);
    draw.shuffle(order);
    for (const int64_t attribute : order) {
      const Fact& fact = set_.facts[person * kBiographyAttributes + attribute];
      const Relation& relation = set_.relations[fact.relation];
      const auto& wordings = part.validation ? relation.held_out : relation.trained;
      if (!part.text.empty()) part.text += ' ';
      part.text += render(wordings[draw.below(wordings.size())], fact.subject, fact.answers.front());
    }
    ++done_;
    return true;
  }

  Position position() const override {
    return {static_cast<uint64_t>(done_), static_cast<uint64_t>(training_ + validation_), "documents"};
  }
  std::vector<Question> questions() const override {
    if (use_ == SourceUse::kTrain) return {};
    return fact_questions(set_, seed_.seed, use_ != SourceUse::kAsk);
  }
  nlohmann::ordered_json report() const override {
    auto report = fact_report(set_);
    report["people"] = people_;
    report["sentences"] = training_ * kBiographyAttributes;
    report["exposures_per_epoch"] = static_cast<double>(training_) / static_cast<double>(people_);
    return report;
  }

 private:
  FactSet set_;
  int64_t people_;
  SourceUse use_;
  SourceSeed seed_;
  int64_t training_ = 0, validation_ = 0, done_ = 0;
};

}  // namespace

std::unique_ptr<DocumentSource> open_biography_source(const PrepareSource& config, const SourceSeed& seed) {
  return std::make_unique<BiographySource>(config, seed);
}

}  // namespace memlayers::data
