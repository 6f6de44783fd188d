#include "data/sources/biography_file.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "data/shards/prepared_data.h"
#include "data/sources/biographies.h"
#include "data/sources/json_lines.h"

namespace memlayers::data {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

void check_file(const fs::path& folder, const ordered_json& prepared) {
  const fs::path file = folder / kBiographiesFile;
  std::string hash;
  try {
    hash = prepared.at("biographies").at("hash").get<std::string>();
  } catch (const nlohmann::json::exception& error) {
    throw base::IoError(folder / kPrepareFile, std::string("damaged: ") + error.what());
  }
  if (!fs::exists(file)) throw base::IoError(file, "is missing; prepare the data again with --force");
  if (base::hash_text(base::hash_file(file)) != hash) {
    throw base::IoError(file, "is damaged: not the file that prepare.json names; prepare the data again with --force");
  }
}

/// A field that must be there and be at least 1.
int64_t count(const JsonLines& lines, const std::string& field) {
  const auto value = lines.optional_integer(field);
  if (!value || *value < 1) lines.fail("field \"" + field + "\" is not a number above 0");
  return *value;
}

std::vector<std::string> wordings(const JsonLines& lines, const std::string& field) {
  std::vector<std::string> texts = lines.texts({field});
  for (const std::string& text : texts) {
    const size_t subject = text.find("[X]"), answer = text.find("[Y]");
    if (subject == std::string::npos || answer == std::string::npos || subject > answer) {
      lines.fail("a wording names the person before the value, [X] before [Y]: \"" + text + "\"");
    }
  }
  if (texts.empty()) lines.fail("field \"" + field + "\" holds no wordings");
  return texts;
}

void next_line(JsonLines& lines) {
  if (!lines.next()) throw base::IoError(lines.lines().path(), "is damaged: ends early");
}

Biographies parse(const fs::path& file) {
  Biographies result;
  JsonLines lines(file);
  next_line(lines);
  result.names = count(lines, "names");
  const int64_t attributes = count(lines, "attributes"), people = count(lines, "people");
  if (people > result.names) lines.fail("there are more people than names");
  for (int64_t i = 0; i < attributes; ++i) {
    next_line(lines);
    result.attributes.push_back(
        {lines.text("attribute"), count(lines, "values"), wordings(lines, "trained"), wordings(lines, "held_out")});
  }
  std::set<std::string> names;
  for (int64_t i = 0; i < people; ++i) {
    next_line(lines);
    Person person{lines.text("name"), lines.texts({"values"})};
    if (person.values.size() != result.attributes.size()) {
      lines.fail(base::concat("expected ", attributes, " values, got ", person.values.size()));
    }
    const bool blank = person.name.empty() || std::ranges::any_of(person.values, &std::string::empty);
    if (blank) lines.fail("a name or a value is empty");
    if (!names.insert(person.name).second) lines.fail("two people have the name \"" + person.name + "\"");
    result.people.push_back(std::move(person));
  }
  if (lines.next()) lines.fail("there are more lines than people");
  return result;
}

}  // namespace

Biographies draw_biographies(uint64_t seed, int64_t people) {
  FactSet set = biography_facts(seed, people);
  const std::vector<int64_t> values = biography_value_counts();
  Biographies result;
  result.names = person_name_count();
  for (size_t i = 0; i < set.relations.size(); ++i) {
    const Relation& relation = set.relations[i];
    result.attributes.push_back({relation.name, values[i], relation.trained, relation.held_out});
  }
  for (Fact& fact : set.facts) {
    if (fact.relation == 0) result.people.push_back({fact.subject, {}});
    result.people.back().values.push_back(std::move(fact.answers.front()));
  }
  return result;
}

ordered_json write_biographies(const fs::path& folder, const Biographies& biographies) {
  const fs::path path = folder / kBiographiesFile;
  base::AtomicFile file(path);
  const auto write = [&](const ordered_json& line) { file.write(line.dump() + "\n"); };
  write({{"names", biographies.names},
         {"attributes", biographies.attributes.size()},
         {"people", biographies.people.size()}});
  for (const BiographyAttribute& attribute : biographies.attributes) {
    write({{"attribute", attribute.name},
           {"values", attribute.values},
           {"trained", attribute.trained},
           {"held_out", attribute.held_out}});
  }
  for (const Person& person : biographies.people) write({{"name", person.name}, {"values", person.values}});
  file.commit();
  return {{"people", biographies.people.size()},
          {"bytes", fs::file_size(path)},
          {"hash", base::hash_text(base::hash_file(path))}};
}

Biographies read_biographies(const fs::path& folder) {
  const ordered_json prepared = read_prepare_file(folder);
  if (!prepared.contains("biographies")) {
    const ordered_json facts = prepared.value("sources", ordered_json::array());
    const bool older = std::any_of(facts.begin(), facts.end(), [](const ordered_json& source) {
      return source.is_object() && source.value("kind", "") == "biographies";
    });
    throw base::UsageError(
        base::concat(folder.string(), older ? ": holds biographies but no list of their people, as older versions "
                                              "prepared them; prepare it again with --force (the shards stay the same)"
                                            : ": holds no biographies; knowledge is counted in bits on people whose "
                                              "attributes are drawn: prepare a source of kind biographies"));
  }
  check_file(folder, prepared);
  return parse(folder / kBiographiesFile);
}

}  // namespace memlayers::data
