// Facts out of Debian's package iso-codes: countries, former countries, their subdivisions, languages, language
// families, currencies, scripts (ISO 3166-1, -2, -3, 639-3, 639-5, 4217, 15924).
#pragma once

#include <filesystem>

#include "data/sources/fact.h"

namespace memlayers::data {

inline constexpr const char* kIsoCodesFolder = "/usr/share/iso-codes/json";

/// All facts of the folder with JSON files. What cannot be asked cleanly is left out and counted by reason: a subject
/// with two answers, an answer that is its subject or stands in it, an answer with a full stop. A subdivision whose
/// name occurs in several countries becomes "Name in Country" where its country is not what is asked.
/// Throws IoError (the package is not installed, a damaged file).
FactSet iso_codes_facts(const std::filesystem::path& folder);

/// The relations in the order that iso_codes_facts uses, with six trained and two held-out wordings each.
std::vector<Relation> iso_codes_relations();

}  // namespace memlayers::data
