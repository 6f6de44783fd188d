#include "report/experiment/sections.h"

#include <utility>

#include "base/error.h"
#include "report/page/html_markup.h"
#include "results/number_text.h"

namespace memlayers::report {
namespace {

using base::concat;
using html::element;

using Definition = std::pair<std::string, std::string>;

const std::vector<Definition>& glossary() {
  static const std::vector<Definition> entries{
      {"Recall (exact match)",
       "Share of questions whose answer, without regard to case, punctuation and articles, is one of the accepted "
       "answers "
       "to the letter. A question is the beginning of a sentence, which the model finishes with its likeliest words; "
       "nothing can be looked up."},
      {"Wording never read",
       "A way to put a fact in which the model has not read this fact. Right answers show that the fact, not the "
       "sentence, was stored."},
      {"F1",
       "Credit for part of an answer: the harmonic mean of the share of its words that are right and the share of the "
       "right words that it has, from 0 to 1. Higher is better."},
      {"Nats",
       "How surprised the model is by the right answer: minus the natural logarithm of the probability it gives to it, "
       "summed over its tokens, then averaged over questions. Lower is better; 0 is certainty."},
      {"Token", "A piece of text, a word or part of one: what a model reads and writes at a time."},
      {"Exposures", "How often a fact was read in training, in any of its wordings."},
      {"FLOP",
       "One floating-point operation. FLOPs of training are counted from the model's shape, forward and backward, not "
       "measured. GFLOP, TFLOP and PFLOP are 10^9, 10^12 and 10^15 of them."},
      {"Seconds",
       "Time of the training steps on the machine named above, without the asking and the saving in between."},
      {"Seed",
       "A number that fixes a model's random start and the order of its text. Several seeds show how much of a "
       "difference is chance."},
      {"Memory table, slot",
       "A memory layer looks up a few rows (slots) of a large learned table for each token, so that a model can have "
       "many more parameters without more computation."},
      {"Between two askings",
       "Recall at a given cost is read off the straight line between the two nearest times the model was asked. On the "
       "way it may be asked only a part of the questions; at the end it is asked all of them."}};
  return entries;
}

std::string definitions(const std::vector<Definition>& entries) {
  std::string out;
  for (const auto& [term, meaning] : entries) {
    if (!meaning.empty())
      out += concat("<dt>", results::escape_markup(term), "</dt><dd>", results::escape_markup(meaning), "</dd>\n");
  }
  return out.empty() ? out : element("dl", "", out);
}

}  // namespace

std::string method_section(const results::Comparison& comparison) {
  const std::string command =
      comparison.command.empty()
          ? ""
          : concat("<p>Made with: <code>", results::escape_markup(comparison.command), "</code></p>\n");
  const auto counted = [](int64_t count) { return count > 0 ? results::count_text(count) : ""; };
  const std::string exposures =
      comparison.exposures > 0 ? results::decimal_text(comparison.exposures, 1) + " a fact" : "";
  const std::string run = definitions({{"Machine", comparison.machine},
                                       {"Commit", comparison.commit},
                                       {"Date", comparison.date},
                                       {"Facts", counted(comparison.facts)},
                                       {"Questions", counted(comparison.questions)},
                                       {"Exposures", exposures}});
  const std::string words = element("h3", "", "What the words mean") + definitions(glossary());
  return html::section("How this was measured", element("div", "class=\"wide\"", command + run + words));
}

}  // namespace memlayers::report
