#include "data/sources/iso_codes.h"

// Eight wordings a relation, the answer last in each. The last two are held out: they use only words of the six before
// them (a test holds this), in an order that those do not have, so a model that knows the fact can follow them.
//
// Shares: with limit_facts, how many facts a relation gives per turn. Names and countries as answers come first, so
// that a small set is not one of codes alone; small relations (former countries, families) are soon used up either way.

namespace memlayers::data {
namespace {

std::vector<Relation> country_relations() {
  return {
      {"country_alpha_2",
       1,
       {"The two-letter code of [X] is [Y].", "[X] has the two-letter country code [Y].",
        "The country [X] is written in two letters as [Y].", "In two letters, [X] is [Y].",
        "The two letters that stand for [X] are [Y].", "As a country, [X] has the two letters [Y]."},
       {"The country code of [X] in two letters is [Y].", "The two letters of the country [X] are [Y]."}},
      {"country_alpha_3",
       1,
       {"The three-letter code of [X] is [Y].", "[X] has the three-letter country code [Y].",
        "The country [X] is written in three letters as [Y].", "In three letters, [X] is [Y].",
        "The three letters that stand for [X] are [Y].", "As a country, [X] has the three letters [Y]."},
       {"The country code of [X] in three letters is [Y].", "The three letters of the country [X] are [Y]."}},
      {"country_numeric",
       1,
       {"The numeric code of [X] is [Y].", "[X] has the country number [Y].",
        "Among countries, the number of [X] is [Y].", "The country [X] is written in digits as [Y].",
        "In digits, the code of the country [X] is [Y].", "The three digits that stand for [X] are [Y]."},
       {"The country code of [X] in digits is [Y].", "The country [X] has the numeric code [Y]."}},
      {"country_official_name",
       1,
       {"The official name of [X] is [Y].", "[X] is officially called [Y].", "The full name of the country [X] is [Y].",
        "In full, [X] is called [Y].", "The country known as [X] has the official name [Y].",
        "On official papers, [X] is [Y]."},
       {"The full official name of the country known as [X] is [Y].", "On papers, the country [X] is called [Y]."}},
      {"country_of_code",
       2,
       {"The country code [X] stands for [Y].", "The three letters [X] mean the country [Y].",
        "[X] is the code of the country [Y].", "The country with the code [X] is [Y].",
        "Written out, the country code [X] is [Y].", "Behind the letters [X] is the country [Y]."},
       {"The code [X] stands for the country [Y].", "The country with the three letters [X] is [Y]."}},
      {"former_country_withdrawn",
       1,
       {"The former country [X] was withdrawn in [Y].", "[X] left the list of countries in [Y].",
        "The name [X] was taken off the list of countries in [Y].", "The last year of [X] as a country was [Y].",
        "[X] was on the list until [Y].", "The code of the former country [X] was withdrawn in the year [Y]."},
       {"The former country [X] was on the list until the year [Y].", "[X] was taken off the list in the year [Y]."}},
      {"former_country_code",
       1,
       {"The four-letter code of the former country [X] is [Y].", "The former country [X] has the code [Y].",
        "In four letters, the former country [X] is [Y].",
        "The four letters that stand for the former country [X] are [Y].",
        "As a former country, [X] has the four letters [Y].", "[X], a former country, is written as [Y]."},
       {"The former country [X] is written in four letters as [Y].",
        "The code of the former country [X] in four letters is [Y]."}},
  };
}

std::vector<Relation> subdivision_relations() {
  return {
      {"subdivision_country",
       6,
       {"[X] is a part of the country [Y].", "The subdivision [X] lies in [Y].",
        "The country that [X] belongs to is [Y].", "[X] is one of the subdivisions of [Y].",
        "On a map, [X] is found in [Y].", "[X] lies within the borders of [Y]."},
       {"On a map, [X] lies in the country [Y].", "[X] is found within the borders of the country [Y]."}},
      {"subdivision_parent",
       3,
       {"Within its country, [X] belongs to [Y].", "The larger subdivision around [X] is [Y].",
        "[X] is a smaller part of [Y].", "The subdivision above [X] is [Y].",
        "[X] lies inside the larger subdivision [Y].", "One level above [X] is [Y]."},
       {"[X] belongs to the larger subdivision [Y].", "Within its country, the subdivision above [X] is [Y]."}},
      {"subdivision_type",
       1,
       {"The subdivision [X] is of the type [Y].", "As a kind of subdivision, [X] is called [Y].",
        "[X] has the status of [Y].", "The status of the subdivision [X] is [Y].",
        "Among subdivisions, [X] counts as [Y].", "The type of [X] is [Y]."},
       {"The subdivision [X] has the type [Y].", "[X] is a subdivision of the kind [Y]."}},
      {"subdivision_code",
       1,
       {"The subdivision code of [X] is [Y].", "The subdivision [X] has the code [Y].",
        "In the list of subdivisions, [X] is written as [Y].", "The code that stands for the subdivision [X] is [Y].",
        "Among subdivisions, [X] has the short form [Y].", "The short form of the subdivision [X] is [Y]."},
       {"The short code of the subdivision [X] is [Y].", "In the list, the subdivision [X] has the code [Y]."}},
  };
}

std::vector<Relation> language_relations() {
  return {
      {"language_alpha_3",
       2,
       {"The language code of [X] is [Y].", "The language [X] has the three-letter code [Y].",
        "In three letters, the language [X] is [Y].", "The three letters that stand for the language [X] are [Y].",
        "Lists of languages write [X] as [Y].", "Among languages, [X] has the code [Y]."},
       {"The three-letter code of the language [X] is [Y].", "Among languages, the three letters of [X] are [Y]."}},
      {"language_alpha_2",
       1,
       {"The short language code of [X] is [Y].", "The language [X] has the two-letter code [Y].",
        "In two letters, the language [X] is [Y].", "The two letters that stand for the language [X] are [Y].",
        "Short lists of languages write [X] as [Y].", "Among languages, [X] has the short code [Y]."},
       {"The two-letter code of the language [X] is [Y].", "Among languages, the two letters of [X] are [Y]."}},
      {"language_of_code",
       4,
       {"The language code [X] stands for [Y].", "The language with the code [X] is [Y].",
        "The letters [X] mean the language [Y].", "Behind the language code [X] is [Y].",
        "[X] is the code of the language [Y].", "Written out, the letters [X] name the language [Y]."},
       {"The code [X] stands for the language [Y].", "The language behind the letters [X] is [Y]."}},
      {"language_kind",
       0.5,
       {"The language [X] is classed as [Y].", "By kind, the language [X] is [Y].",
        "Among languages, [X] counts as [Y].", "The status of the language [X] is [Y].",
        "Linguists describe the language [X] as [Y].", "In lists of languages, the kind of [X] is given as [Y]."},
       {"The kind of the language [X] is [Y].", "In lists, the status of the language [X] is given as [Y]."}},
      {"family_code",
       1,
       {"The language family [X] has the code [Y].", "The code of the family [X] is [Y].",
        "The three letters that stand for the family [X] are [Y].", "Lists of families write [X] as [Y].",
        "Among families of languages, [X] has the code [Y].", "In three letters, the family [X] is [Y]."},
       {"The code of the language family [X] in three letters is [Y].",
        "Among families, the three letters of [X] are [Y]."}},
  };
}

std::vector<Relation> currency_and_script_relations() {
  return {
      {"currency_code",
       1,
       {"The currency code of [X] is [Y].", "The currency [X] has the code [Y].",
        "Banks write the currency [X] as [Y].", "The three letters that stand for the currency [X] are [Y].",
        "In exchange rates, [X] is written as [Y].", "In three letters, the currency [X] is [Y]."},
       {"The code of the currency [X] in three letters is [Y].",
        "In exchange rates, the currency [X] has the code [Y]."}},
      {"currency_numeric",
       1,
       {"The number of the currency [X] is [Y].", "The currency [X] has the numeric code [Y].",
        "In digits, the currency [X] is [Y].", "Banks count the currency [X] under the number [Y].",
        "The three digits that stand for the currency [X] are [Y].", "The numeric code of the currency [X] is [Y]."},
       {"The currency [X] has the number [Y].", "In digits, the code of the currency [X] is [Y]."}},
      {"currency_of_code",
       2,
       {"The currency code [X] stands for [Y].", "The currency with the code [X] is called [Y].",
        "The letters [X] mean the currency [Y].", "Banks that write [X] mean [Y].",
        "[X] is the code of the currency [Y].", "Written out, the letters [X] name the currency [Y]."},
       {"The code [X] stands for the currency [Y].", "The currency with the letters [X] is called [Y]."}},
      {"script_code",
       1,
       {"The script code of [X] is [Y].", "The script [X] has the code [Y].", "In four letters, the script [X] is [Y].",
        "The four letters that stand for the script [X] are [Y].", "Lists of scripts write [X] as [Y].",
        "Among scripts, [X] has the four letters [Y]."},
       {"The code of the script [X] in four letters is [Y].", "Among scripts, the code of [X] is [Y]."}},
      {"script_numeric",
       1,
       {"The number of the script [X] is [Y].", "The script [X] has the numeric code [Y].",
        "In digits, the script [X] is [Y].", "Lists of scripts count [X] under the number [Y].",
        "The three digits that stand for the script [X] are [Y].", "The numeric code of the script [X] is [Y]."},
       {"The script [X] has the number [Y].", "In digits, the code of the script [X] is [Y]."}},
      {"script_of_code",
       2,
       {"The script code [X] stands for [Y].", "The script with the code [X] is called [Y].",
        "The four letters [X] mean the script [Y].", "Behind the script code [X] is [Y].",
        "[X] is the code of the script [Y].", "Written out, the letters [X] name the script [Y]."},
       {"The code [X] stands for the script [Y].", "The script with the four letters [X] is called [Y]."}},
  };
}

}  // namespace

std::vector<Relation> iso_codes_relations() {
  std::vector<Relation> relations;
  for (const auto& part :
       {country_relations(), subdivision_relations(), language_relations(), currency_and_script_relations()}) {
    relations.insert(relations.end(), part.begin(), part.end());
  }
  return relations;
}

}  // namespace memlayers::data
