// The people of prepared biographies, with what is known about how they were drawn: biographies.jsonl beside the
// shards.
//
// One JSON object a line (docs/file_formats.md): a head, one line an attribute, one line a person.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>

#include "data/sources/fact.h"

namespace memlayers::data {

inline constexpr const char* kBiographiesFile = "biographies.jsonl";

struct BiographyAttribute {
  std::string name;
  int64_t values =
      1;  // equally likely, independent of the name and of the other attributes; 1: follows from the others
  std::vector<std::string> trained, held_out;  // wordings, each with [X] before [Y]
};

struct Person {
  std::string name;
  std::vector<std::string> values;  // one an attribute
};

struct Biographies {
  int64_t names = 0;  // names there were to draw from; those of `people` differ
  std::vector<BiographyAttribute> attributes;
  std::vector<Person> people;
};

/// The people of biography_facts(seed, people).
Biographies draw_biographies(uint64_t seed, int64_t people);

/// Writes FOLDER/biographies.jsonl. Returns what prepare.json says of it: people, bytes, hash. Throws IoError.
nlohmann::ordered_json write_biographies(const std::filesystem::path& folder, const Biographies& biographies);

/// Reads what prepare left in a folder. Throws UsageError: the folder has no biographies, or was prepared before they
/// were kept; IoError: a file that is missing, damaged or not the one prepare.json names.
Biographies read_biographies(const std::filesystem::path& folder);

}  // namespace memlayers::data
