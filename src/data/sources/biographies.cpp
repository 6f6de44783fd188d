#include "data/sources/biographies.h"

#include <array>
#include <span>

#include "base/error.h"
#include "base/random.h"

namespace memlayers::data {
namespace {

using base::RandomStream;
using Words = std::span<const char* const>;

// Names are composed of a beginning and an end; every pair is a name.
constexpr std::array kFirstBegins = {"Ad",  "Bel", "Cor", "Dar", "El", "Fen", "Gar", "Hal", "Is",  "Jor",
                                     "Kel", "Lor", "Mar", "Nor", "Os", "Per", "Ros", "Sel", "Tam", "Val"};
constexpr std::array kFirstEnds = {"a",   "an",  "ena", "ian",  "ina", "is",  "ita",  "anna", "on",   "ora",
                                   "win", "wyn", "lyn", "mond", "ric", "dra", "bert", "vin",  "issa", "ley"};
constexpr std::array kMiddleBegins = {"Al",  "Ber", "Cal", "Del", "Em", "Flor", "Ger", "Har", "Iv",   "Jas",
                                      "Ken", "Len", "Mir", "Nat", "Ol", "Phil", "Ren", "Sam", "Thor", "Wil"};
constexpr std::array kMiddleEnds = {"ena", "ara", "ton", "ius", "ette", "in",  "ella", "as",   "mar", "rick",
                                    "ana", "ice", "ent", "ard", "ene",  "ola", "iel",  "stan", "ema", "ert"};
constexpr std::array kLastBegins = {"Ash",  "Black", "Brook", "Carl",  "Clay", "Cold",  "Dun",   "East",
                                    "Elm",  "Fair",  "Fen",   "Glen",  "Gran", "Green", "Hal",   "Hart",
                                    "Haw",  "Hol",   "Kings", "Lang",  "Lin",  "Long",  "Mar",   "Mel",
                                    "Mill", "New",   "North", "Oak",   "Pem",  "Red",   "Rock",  "Rose",
                                    "Shel", "Stan",  "Stone", "Thorn", "Wal",  "West",  "White", "Win"};
constexpr std::array kLastEnds = {"ford",   "ton",   "well",  "wood",  "ley",  "worth", "man",  "field", "by",
                                  "ham",    "shaw",  "stead", "ridge", "more", "den",   "son",  "gate",  "croft",
                                  "bridge", "combe", "house", "land",  "mont", "wick",  "ville"};
constexpr std::array kCityBegins = {"Alder",   "Birch", "Cedar",   "Dover",   "Ember",  "Falcon", "Garnet",
                                    "Harbor",  "Iron",  "Juniper", "Kestrel", "Laurel", "Maple",  "Nettle",
                                    "Orchard", "Pine",  "Quarry",  "River",   "Summit", "Willow"};
constexpr std::array kCityEnds = {" Bay",   " Falls", " Springs", " Heights", " Park",
                                  " Creek", " Grove", " Point",   "port",     "dale"};
constexpr std::array kEmployerBegins = {
    "Apex",    "Beacon",   "Cobalt",    "Delta", "Evergreen", "Frontier", "Granite", "Horizon",  "Ivory",  "Keystone",
    "Lantern", "Meridian", "Northstar", "Orbit", "Pioneer",   "Quartz",   "Redwood", "Sterling", "Tandem", "Vertex"};
constexpr std::array kEmployerEnds = {" Systems",    " Foods",    " Energy",   " Motors",
                                      " Insurance",  " Textiles", " Airlines", " Pharmaceuticals",
                                      " Publishing", " Shipping", " Robotics", " Mining"};
constexpr std::array kUniversities = {"University of ", "College of ", "Technical University of ", "Academy of ",
                                      "Institute of "};
constexpr std::array kMajors = {"Accounting",
                                "Agriculture",
                                "Anthropology",
                                "Archaeology",
                                "Architecture",
                                "Art History",
                                "Astronomy",
                                "Biochemistry",
                                "Biology",
                                "Botany",
                                "Business Administration",
                                "Chemical Engineering",
                                "Chemistry",
                                "Civil Engineering",
                                "Classics",
                                "Communication",
                                "Computer Science",
                                "Criminology",
                                "Dance",
                                "Dentistry",
                                "Drama",
                                "Ecology",
                                "Economics",
                                "Education",
                                "Electrical Engineering",
                                "English Literature",
                                "Environmental Science",
                                "Film Studies",
                                "Finance",
                                "Food Science",
                                "Forestry",
                                "Genetics",
                                "Geography",
                                "Geology",
                                "Graphic Design",
                                "History",
                                "Journalism",
                                "Law",
                                "Linguistics",
                                "Marine Biology",
                                "Marketing",
                                "Mathematics",
                                "Mechanical Engineering",
                                "Medicine",
                                "Meteorology",
                                "Music",
                                "Nursing",
                                "Nutrition",
                                "Pharmacy",
                                "Philosophy",
                                "Physics",
                                "Political Science",
                                "Psychology",
                                "Public Health",
                                "Religious Studies",
                                "Social Work",
                                "Sociology",
                                "Statistics",
                                "Theology",
                                "Urban Planning",
                                "Veterinary Science",
                                "Zoology"};
constexpr std::array kMonths = {"January", "February", "March",     "April",   "May",      "June",
                                "July",    "August",   "September", "October", "November", "December"};

std::string composed(Words begins, Words ends, uint64_t index) {
  return std::string(begins[index / ends.size() % begins.size()]) + ends[index % ends.size()];
}
std::string city(uint64_t index) { return composed(kCityBegins, kCityEnds, index); }

constexpr uint64_t kFirstNames = kFirstBegins.size() * kFirstEnds.size(),
                   kMiddleNames = kMiddleBegins.size() * kMiddleEnds.size(),
                   kLastNames = kLastBegins.size() * kLastEnds.size(), kCities = kCityBegins.size() * kCityEnds.size(),
                   kEmployers = kEmployerBegins.size() * kEmployerEnds.size();
constexpr uint64_t kNames = kFirstNames * kMiddleNames * kLastNames;
constexpr uint64_t kDays = 28, kFirstYear = 1900, kYears = 120;

// As for iso-codes: six trained wordings, then two held-out ones made of their words alone.
std::vector<Relation> biography_relations() {
  return {
      {"birth_date",
       1,
       {"[X] was born on [Y].", "The birthday of [X] is [Y].", "[X] came into the world on [Y].",
        "The life of [X] began on [Y].", "[X] celebrates the day of birth on [Y].", "The birth of [X] was on [Y]."},
       {"[X] began life on [Y].", "The day of birth of [X] is [Y]."}},
      {"birth_city",
       1,
       {"[X] was born in [Y].", "The birthplace of [X] is [Y].", "[X] came from [Y].", "The home town of [X] is [Y].",
        "[X] spent the first years in the town of [Y].", "The first home of [X] was in [Y]."},
       {"The town of the first years of [X] is [Y].", "The first town of [X] was [Y]."}},
      {"university",
       1,
       {"[X] studied at the [Y].", "[X] holds a degree from the [Y].", "The university of [X] was the [Y].",
        "[X] attended the [Y].", "As a student, [X] was at the [Y].", "The degree of [X] is from the [Y]."},
       {"The university [X] attended was the [Y].", "[X] was a student at the [Y]."}},
      {"major",
       1,
       {"The major of [X] was [Y].", "[X] took a degree in [Y].", "The field that [X] studied was [Y].",
        "[X] majored in [Y].", "As a student, [X] chose the field of [Y].",
        "The subject of the degree of [X] was [Y]."},
       {"The field of the degree of [X] was [Y].", "The subject that [X] studied was [Y]."}},
      {"employer",
       1,
       {"[X] works for [Y].", "The employer of [X] is [Y].", "[X] is employed by [Y].", "[X] has a job at [Y].",
        "The company that pays [X] is [Y].", "[X] earns a living at [Y]."},
       {"The company that [X] works for is [Y].", "[X] is employed at [Y]."}},
      {"company_city",
       1,
       {"[X] works in [Y].", "The office of [X] is in [Y].", "[X] goes to work in [Y].",
        "The job of [X] is based in [Y].", "The company of [X] sits in [Y].", "[X] has an office in [Y]."},
       {"The work of [X] is based in [Y].", "[X] goes to an office in [Y]."}},
  };
}

}  // namespace

std::string person_name(uint64_t seed, int64_t index) {
  base::check(index >= 0 && static_cast<uint64_t>(index) < kNames, "biographies: there are ", kNames, " names, person ",
              index, " has none");
  const uint64_t name = base::permuted(index, kNames, RandomStream(seed, "names of people").next());
  return composed(kFirstBegins, kFirstEnds, name / (kMiddleNames * kLastNames)) + " " +
         composed(kMiddleBegins, kMiddleEnds, name / kLastNames % kMiddleNames) + " " +
         composed(kLastBegins, kLastEnds, name % kLastNames);
}

int64_t person_name_count() { return kNames; }

std::vector<int64_t> biography_value_counts() {
  return {kMonths.size() * kDays * kYears, kCities, kUniversities.size() * kCities, kMajors.size(), kEmployers, 1};
}

FactSet biography_facts(uint64_t seed, int64_t people) {
  base::check(people >= 0 && static_cast<uint64_t>(people) <= kNames, "sources: people: there are ", kNames,
              " names, got ", people);
  FactSet set;
  set.relations = biography_relations();
  for (int64_t person = 0; person < people; ++person) {
    const std::string name = person_name(seed, person);
    RandomStream draw(seed, "attributes of people", person);
    const std::string month = kMonths[draw.below(kMonths.size())];
    const std::string date = base::concat(month, " ", 1 + draw.below(kDays), ", ", kFirstYear + draw.below(kYears));
    const std::string birth_city = city(draw.below(kCities));
    const std::string university = kUniversities[draw.below(kUniversities.size())] + city(draw.below(kCities));
    const std::string major = kMajors[draw.below(kMajors.size())];
    const uint64_t employer = draw.below(kEmployers);
    const std::string company = composed(kEmployerBegins, kEmployerEnds, employer);
    const std::string company_city = city(RandomStream(seed, "cities of employers", employer).below(kCities));
    int32_t relation = 0;
    for (const auto& answer : {date, birth_city, university, major, company, company_city}) {
      set.facts.push_back({relation++, name, {answer}, ""});
    }
  }
  return set;
}

}  // namespace memlayers::data
