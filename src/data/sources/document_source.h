// Where documents come from: one pull interface over files, facts and synthetic people.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>

#include "data/prepare_config.h"
#include "data/sources/fact.h"

namespace memlayers::data {

/// A document, or a part of one that is too long to hold whole.
struct DocumentPart {
  std::string text;
  bool begins = true, ends = true;
  bool validation = false;
};

class DocumentSource {
 public:
  virtual ~DocumentSource() = default;
  /// Begins a pass over all documents; every pass gives the same ones.
  virtual void start() = 0;
  /// The next part; false at the end. Throws IoError.
  virtual bool next(DocumentPart& part) = 0;

  struct Position {
    uint64_t done = 0, total = 0;
    std::string unit;
  };
  virtual Position position() const = 0;
  virtual std::vector<Question> questions() const { return {}; }
  /// What prepare.json says of this source: facts by relation, what was left out, wordings, damage mended.
  virtual nlohmann::ordered_json report() const = 0;
};

struct SourceSeed {
  uint64_t seed = 1;
  size_t index = 0;  // of the source: equal sources draw differently
  double validation_share = 0;
};

/// Opens a source of any kind. Facts are read at once, running text only in passes. Throws IoError.
std::unique_ptr<DocumentSource> open_source(const PrepareSource& config, const SourceSeed& seed);

// The kinds, one file each.
std::unique_ptr<DocumentSource> open_text_source(const PrepareSource& config, const SourceSeed& seed);
std::unique_ptr<DocumentSource> open_fact_source(FactSet facts, const PrepareSource& config, const SourceSeed& seed);
std::unique_ptr<DocumentSource> open_biography_source(const PrepareSource& config, const SourceSeed& seed);

/// The part of a report that all fact sources share.
nlohmann::ordered_json fact_report(const FactSet& set);

}  // namespace memlayers::data
