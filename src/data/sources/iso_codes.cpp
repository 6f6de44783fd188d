#include "data/sources/iso_codes.h"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "base/file.h"

namespace memlayers::data {
namespace {

namespace fs = std::filesystem;
using Record = std::map<std::string, std::string>;

/// The records of one file, {"3166-1": [{"alpha_2": "AW", ...}, ...]}.
std::vector<Record> read_records(const fs::path& folder, const std::string& standard) {
  const fs::path file = folder / ("iso_" + standard + ".json");
  if (!fs::exists(file)) {
    throw base::IoError(
        file, "there is no such file; install Debian's package iso-codes, or give its folder of JSON files as path");
  }
  const auto json = nlohmann::json::parse(base::read_text(file), nullptr, false);
  try {
    std::vector<Record> records;
    for (const auto& item : json.at(standard)) {
      Record& record = records.emplace_back();
      for (const auto& [key, value] : item.items()) {
        if (value.is_string()) record[key] = value.get<std::string>();
      }
    }
    return records;
  } catch (const nlohmann::json::exception& error) {
    throw base::IoError(file, std::string("not a file of iso-codes: ") + error.what());
  }
}

std::string get(const Record& record, const std::string& key) {
  const auto found = record.find(key);
  return found == record.end() ? "" : found->second;
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

class Collector {
 public:
  Collector() { set_.relations = iso_codes_relations(); }

  /// Keeps the fact, or counts why not. Absent fields (empty texts) are no facts.
  void add(const std::string& relation, const std::string& subject, const std::string& answer) {
    if (subject.empty() || answer.empty()) return;
    const auto found = std::find_if(set_.relations.begin(), set_.relations.end(),
                                    [&](const Relation& candidate) { return candidate.name == relation; });
    assert(found != set_.relations.end());
    if (answer.find('.') != std::string::npos) {
      ++set_.left_out["full stop in the answer"];
    } else if (answer.size() > 1 && relation != "country_official_name" && stands_in(lower(answer), lower(subject))) {
      ++set_.left_out["answer stands in the subject"];
    } else {
      set_.facts.push_back({static_cast<int32_t>(found - set_.relations.begin()), subject, {answer}, ""});
    }
  }

  FactSet finish() {
    drop_ambiguous(set_);
    return std::move(set_);
  }

 private:
  // As a whole word: the code "as" may stand inside of "Assamese".
  static bool stands_in(const std::string& word, const std::string& text) {
    const auto is_letter = [&](size_t i) {
      return i < text.size() && (std::isalnum(static_cast<unsigned char>(text[i])) || text[i] & 0x80);
    };
    for (size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) {
      if ((at == 0 || !is_letter(at - 1)) && !is_letter(at + word.size())) return true;
    }
    return false;
  }

  FactSet set_;
};

/// "Korea, Republic of" is known as "South Korea" where the file says so.
std::string country_name(const Record& country) {
  const std::string common = get(country, "common_name");
  return common.empty() ? get(country, "name") : common;
}

void add_countries(Collector& facts, const std::vector<Record>& countries, const std::vector<Record>& former) {
  for (const Record& country : countries) {
    const std::string name = country_name(country);
    facts.add("country_alpha_2", name, get(country, "alpha_2"));
    facts.add("country_alpha_3", name, get(country, "alpha_3"));
    facts.add("country_numeric", name, get(country, "numeric"));
    facts.add("country_official_name", name, get(country, "official_name"));
    facts.add("country_of_code", get(country, "alpha_3"), name);
  }
  for (const Record& country : former) {
    facts.add("former_country_withdrawn", get(country, "name"), get(country, "withdrawal_date").substr(0, 4));
    facts.add("former_country_code", get(country, "name"), get(country, "alpha_4"));
  }
}

struct Subdivision {
  std::string name, code, country, type, parent;  // parent: code
};

/// Names such as "Cardiff [Caerdydd GB-CRD]" and "Stockholms län [SE-01]" lose the bracket: it repeats or gives away.
std::vector<Subdivision> read_subdivisions(const std::vector<Record>& records, const std::vector<Record>& countries) {
  std::map<std::string, std::string> names;
  for (const Record& country : countries) names[get(country, "alpha_2")] = country_name(country);
  std::vector<Subdivision> subdivisions;
  for (const Record& record : records) {
    const std::string code = get(record, "code"), prefix = code.substr(0, code.find('-'));
    std::string name = get(record, "name"), parent = get(record, "parent");
    name = name.substr(0, name.find(" ["));
    if (!parent.empty() && parent.find('-') == std::string::npos) parent = base::concat(prefix, "-", parent);
    subdivisions.push_back({name, code, names[prefix], get(record, "type"), parent});
  }
  return subdivisions;
}

void add_subdivisions(Collector& facts, const std::vector<Subdivision>& subdivisions) {
  std::map<std::string, std::set<std::string>> countries;
  std::map<std::string, std::string> names;
  for (const Subdivision& subdivision : subdivisions) {
    countries[subdivision.name].insert(subdivision.country);
    names[subdivision.code] = subdivision.name;
  }
  for (const Subdivision& subdivision : subdivisions) {
    const bool shared = countries[subdivision.name].size() > 1;
    const std::string subject = shared ? subdivision.name + " in " + subdivision.country : subdivision.name;
    facts.add("subdivision_country", subdivision.name, subdivision.country);
    facts.add("subdivision_parent", subject, names[subdivision.parent]);
    facts.add("subdivision_type", subject, subdivision.type);
    facts.add("subdivision_code", subject, subdivision.code);
  }
}

/// Only what is not the rule (a living language): an answer that fits nine languages in ten would measure nothing.
std::string language_kind(const Record& language) {
  static const std::map<std::string, std::string> kTypes = {
      {"A", "ancient"}, {"C", "constructed"}, {"E", "extinct"}, {"H", "historical"}};
  if (get(language, "scope") == "M") return "macrolanguage";
  const auto found = kTypes.find(get(language, "type"));
  return found == kTypes.end() ? "" : found->second;
}

void add_languages(Collector& facts, const std::vector<Record>& languages, const std::vector<Record>& families) {
  for (const Record& language : languages) {
    const std::string name = get(language, "name");
    facts.add("language_alpha_3", name, get(language, "alpha_3"));
    facts.add("language_alpha_2", name, get(language, "alpha_2"));
    facts.add("language_of_code", get(language, "alpha_3"), name);
    facts.add("language_kind", name, language_kind(language));
  }
  for (const Record& family : families) facts.add("family_code", get(family, "name"), get(family, "alpha_3"));
}

void add_currencies_and_scripts(Collector& facts, const std::vector<Record>& currencies,
                                const std::vector<Record>& scripts) {
  for (const Record& currency : currencies) {
    facts.add("currency_code", get(currency, "name"), get(currency, "alpha_3"));
    facts.add("currency_numeric", get(currency, "name"), get(currency, "numeric"));
    facts.add("currency_of_code", get(currency, "alpha_3"), get(currency, "name"));
  }
  for (const Record& script : scripts) {
    facts.add("script_code", get(script, "name"), get(script, "alpha_4"));
    facts.add("script_numeric", get(script, "name"), get(script, "numeric"));
    facts.add("script_of_code", get(script, "alpha_4"), get(script, "name"));
  }
}

}  // namespace

FactSet iso_codes_facts(const fs::path& folder) {
  const auto countries = read_records(folder, "3166-1");
  Collector facts;
  add_countries(facts, countries, read_records(folder, "3166-3"));
  add_subdivisions(facts, read_subdivisions(read_records(folder, "3166-2"), countries));
  add_languages(facts, read_records(folder, "639-3"), read_records(folder, "639-5"));
  add_currencies_and_scripts(facts, read_records(folder, "4217"), read_records(folder, "15924"));
  return facts.finish();
}

}  // namespace memlayers::data
