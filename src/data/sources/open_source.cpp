#include "data/sources/document_source.h"
#include "data/sources/fact_files.h"
#include "data/sources/iso_codes.h"

namespace memlayers::data {

std::unique_ptr<DocumentSource> open_source(const PrepareSource& config, const SourceSeed& seed) {
  switch (config.kind) {
    case SourceKind::kJsonl:
    case SourceKind::kText:
      return open_text_source(config, seed);
    case SourceKind::kIsoCodes:
      return open_fact_source(iso_codes_facts(config.path.empty() ? kIsoCodesFolder : config.path), config, seed);
    case SourceKind::kFacts:
      return open_fact_source(read_facts(config.path, config.patterns, config.held_out), config, seed);
    case SourceKind::kQuestions:
      return open_fact_source(read_question_pairs(config.path), config, seed);
    case SourceKind::kBiographies:
      return open_biography_source(config, seed);
  }
  return nullptr;
}

}  // namespace memlayers::data
