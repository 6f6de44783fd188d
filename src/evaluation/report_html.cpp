#include "evaluation/report_html.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "evaluation/report_figures.h"
#include "evaluation/report_format.h"
#include "evaluation/report_summary.h"

namespace memlayers::evaluation {
namespace {

using base::concat;

std::string element(std::string_view name, std::string_view attributes, std::string_view content) {
  return concat("<", name, attributes.empty() ? "" : " ", attributes, ">", content, "</", name, ">\n");
}

/// Keeps a number and its unit on one line: "6 min", "3.07 M", "± 0.3".
std::string glued(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const size_t word = text[i] == ' ' ? std::min(text.find_first_of(" .,;:)", i + 1), text.size()) - i - 1 : 0;
    const bool after_number = i > 0 && ((text[i - 1] >= '0' && text[i - 1] <= '9') || text.substr(0, i).ends_with("±"));
    const bool glue = text[i] == ' ' && ((after_number && word <= 4) || text.substr(i + 1).starts_with("±"));
    out += glue ? "\u00a0" : std::string(1, text[i]);
  }
  return out;
}

std::string paragraph(std::string_view style, std::string_view text) {
  return element("p", style.empty() ? "" : concat("class=\"", style, "\""), escape_markup(glued(text)));
}

/// A box that scrolls inside itself where the screen is too narrow, also by keyboard.
std::string scrolling(std::string_view label, std::string_view content, std::string_view style = "scroll") {
  return element("div", concat("class=\"", style, "\" role=\"region\" tabindex=\"0\" aria-label=\"", label, "\""),
                 content);
}

std::string table_markup(const Table& table) {
  std::string head, body;
  for (const std::string& cell : table.head) head += concat("<th scope=\"col\">", escape_markup(cell), "</th>");
  for (const auto& row : table.rows) {
    std::string cells;
    for (size_t i = 0; i < row.size(); ++i) {
      cells += i == 0 ? concat("<th scope=\"row\">", escape_markup(row[i]), "</th>")
                      : concat("<td>", escape_markup(row[i]), "</td>");
    }
    body += element("tr", "", cells);
  }
  const std::string caption = escape_markup(table.caption);
  return scrolling(caption, concat("<table><caption>", caption, "</caption><thead><tr>", head, "</tr></thead>\n<tbody>",
                                   body, "</tbody></table>"));
}

std::string details(std::string_view summary, std::string_view content) {
  return element("details", "", concat("<summary>", escape_markup(summary), "</summary>", content));
}

std::string figure_markup(const Figure& figure) {
  std::string tables;
  for (const Table& table : figure.tables) tables += table_markup(table);
  return element("figure", concat("id=\"figure-", escape_markup(figure.id), "\""),
                 concat("<figcaption><h3>", escape_markup(figure.title), "</h3>", paragraph("", figure.caption),
                        "</figcaption>\n", figure.svg, details("The numbers behind this chart", tables)));
}

std::string figures_section(std::string_view heading, std::string_view text, const std::vector<Figure>& figures) {
  if (figures.empty()) return {};
  std::string content = element("h2", "", escape_markup(heading));
  if (!text.empty()) content += paragraph("", text);
  std::string drawn;
  for (const Figure& figure : figures) drawn += figure_markup(figure);
  return element("section", "", content + element("div", "class=\"figures\"", drawn));
}

std::string answer_markup(const Comparison& comparison) {
  const Headline told = headline(comparison);
  std::string notes;
  for (const std::string& note : told.notes) notes += element("li", "", escape_markup(glued(note)));
  return element("section", "class=\"answer\" aria-label=\"The answer\"",
                 paragraph("headline", told.answer) + (notes.empty() ? "" : element("ul", "", notes)));
}

std::string verdict_row(const VariantSummary& variant, const Verdict::Row& row) {
  const double width = std::clamp(std::isfinite(row.mean) ? 100 * row.mean : 0.0, 0.0, 100.0);
  return concat("<div class=\"row\"><div class=\"line-of-text\"><span class=\"name\">", escape_markup(variant.label),
                "</span><span class=\"number\">", escape_markup(recall_text(row)),
                "</span></div><div class=\"track\"><span style=\"width:", decimal_text(width, 1),
                "%;background:var(--series-", variant.color % 8, ")\"></span></div></div>\n");
}

/// At equal FLOPs or seconds the variants have read different amounts of text: says how much.
std::string progress_text(const Comparison& comparison, const std::vector<VariantSummary>& variants,
                          const Verdict& verdict) {
  if (verdict.axis == Axis::kTokens) return {};
  std::string text;
  for (const VariantSummary& variant : variants) {
    const std::optional<double> tokens = tokens_at(comparison, variant.variant, verdict.axis, verdict.budget);
    if (tokens) text += concat(text.empty() ? "Text read by then: " : ", ", variant.label, " ", spoken_count(*tokens));
  }
  return text.empty() ? text : text + " tokens.";
}

std::string verdict_card(const Comparison& comparison, const std::vector<VariantSummary>& variants, Axis axis,
                         std::string_view title, std::string_view meaning) {
  const Verdict verdict = verdict_at_equal(comparison, axis);
  std::string content = element("h3", "", escape_markup(title));
  if (verdict.rows.empty()) {
    return element("div", "class=\"card\"", content + paragraph("budget", "The runs were not asked during training."));
  }
  const std::optional<Contest> decided = contest(variants, verdict);
  content += paragraph("lead-text", decided ? lead_text(*decided) : "Only one model was asked");
  content += paragraph("budget", concat("Recall ", budget_text(verdict), ", ", meaning, "."));
  for (const Verdict::Row& row : verdict.rows) {
    const auto variant =
        std::find_if(variants.begin(), variants.end(), [&](const auto& v) { return v.variant == row.variant; });
    content += verdict_row(*variant, row);
  }
  if (decided) content += paragraph("small", confidence_text(*decided));
  const std::string progress = progress_text(comparison, variants, verdict);
  if (!progress.empty()) content += paragraph("small", progress);
  return element("div", "class=\"card\"", content);
}

std::string verdicts_section(const Comparison& comparison, const std::vector<VariantSummary>& variants) {
  const bool spread =
      std::any_of(variants.begin(), variants.end(), [](const auto& variant) { return variant.runs > 1; });
  std::string text =
      "Recall, the share of questions answered exactly, in wordings never read, where the models had used up the same "
      "text, the same computation, or the same time.";
  const std::string cards =
      verdict_card(comparison, variants, Axis::kTokens, "Text (equal tokens)", "the most that every run read") +
      verdict_card(comparison, variants, Axis::kFlops, "Computation (equal FLOPs)", "the most that every run spent") +
      verdict_card(comparison, variants, Axis::kSeconds, "Time (equal seconds)", "the longest that every run trained");
  const std::string note =
      spread ? paragraph("lead", "Numbers are means over seeds ± one sample standard deviation, in percentage points.")
             : "";
  return element("section", "",
                 element("h2", "", "Who knows more at equal cost") + paragraph("", text) +
                     element("div", "class=\"cards\"", cards) + note);
}

std::string spread_text(const Statistic& value, std::string (*text)(double)) {
  if (value.count == 0) return "not asked";
  return text(value.mean) + (value.count > 1 ? " ± " + text(value.deviation) : "");
}

Table models_table(const std::vector<VariantSummary>& variants) {
  Table table{"Models, after all of their training",
              {"model", "seeds", "parameters", "in the memory table", "training FLOPs per token", "tokens per second",
               "recall, wordings read", "recall, wordings never read", "F1, never read", "nats, never read"},
              {}};
  const auto decimal = [](double v) { return decimal_text(v, 2); };
  for (const VariantSummary& variant : variants) {
    table.rows.push_back(
        {variant.label, std::to_string(variant.runs), metric_text(static_cast<double>(variant.parameters)),
         metric_text(static_cast<double>(variant.table_parameters)), metric_text(variant.flops_per_token),
         variant.tokens_per_second.count == 0 ? "n/a" : count_text(std::llround(variant.tokens_per_second.mean)),
         recall_text(variant.seen), recall_text(variant.unseen), spread_text(variant.f1, decimal),
         spread_text(variant.nats, decimal)});
  }
  return table;
}

Table runs_table(const Comparison& comparison) {
  Table table{"Every run",
              {"model", "seed", "tokens read", "training time", "tokens per second", "recall, wordings read",
               "recall, wordings never read", "F1, never read", "nats, never read"},
              {}};
  for (const std::string& variant : comparison.variants) {
    for (const RunResult& run : comparison.runs) {
      if (run.variant != variant) continue;
      const auto asked = [](const RelationScore& score, std::string text) {
        return score.questions > 0 ? text : "not asked";
      };
      table.rows.push_back(
          {variant_label(variant), std::to_string(run.seed),
           run.curve.empty() ? "n/a" : count_text(run.curve.back().tokens),
           run.curve.empty() ? "n/a" : seconds_text(run.curve.back().seconds),
           count_text(std::llround(std::isfinite(run.tokens_per_second) ? run.tokens_per_second : 0)),
           asked(run.seen, percent_text(run.seen.exact_match)), asked(run.unseen, percent_text(run.unseen.exact_match)),
           asked(run.unseen, decimal_text(run.unseen.f1, 3)), asked(run.unseen, decimal_text(run.unseen.nats, 3))});
    }
  }
  return table;
}

std::string models_section(const Comparison& comparison, const std::vector<VariantSummary>& variants) {
  return element("section", "",
                 element("h2", "", "The models") +
                     element("div", "class=\"wide\"",
                             table_markup(models_table(variants)) +
                                 details("Every run by itself", table_markup(runs_table(comparison)))));
}

/// `label` heads the cell where a narrow screen shows rows as blocks; `markup` is markup already.
std::string labeled_cell(const std::string& label, std::string_view markup) {
  return element("td", concat("data-label=\"", escape_markup(label), "\""), markup);
}

std::string reply_markup(const Example& example, const std::string& variant) {
  const auto reply = std::find_if(example.replies.begin(), example.replies.end(),
                                  [&](const Example::Reply& one) { return one.variant == variant; });
  if (reply == example.replies.end()) return "not asked";
  const std::string_view judged = reply->correct ? "right" : "wrong";
  return concat("<span class=\"", judged, "\"><span class=\"hidden\">", judged, ": </span>",
                escape_markup(reply->text.empty() ? "(nothing)" : reply->text), "</span>");
}

std::string examples_section(const Comparison& comparison) {
  if (comparison.examples.empty()) return {};
  std::vector<std::string> columns{"beginning of the sentence", "right ending", "wording"};
  for (const std::string& variant : comparison.variants) columns.push_back(variant_label(variant) + " wrote");
  std::string head, rows;
  for (const std::string& column : columns) head += element("th", "scope=\"col\"", escape_markup(column));
  for (const Example& example : comparison.examples) {
    std::string cells = element("th", "scope=\"row\"", escape_markup(example.prompt) + " …");
    cells += labeled_cell(columns[1], escape_markup(example.answer));
    cells += labeled_cell(columns[2], example.wording == "seen" ? "read" : "never read");
    for (size_t v = 0; v < comparison.variants.size(); ++v) {
      cells += labeled_cell(columns[3 + v], reply_markup(example, comparison.variants[v]));
    }
    rows += element("tr", "", cells);
  }
  const std::string_view caption = "What the first seed of each model wrote";
  const std::string table = concat("<table class=\"words\"><caption>", caption, "</caption><thead><tr>", head,
                                   "</tr></thead>\n<tbody>", rows, "</tbody></table>");
  return element("section", "",
                 element("h2", "", "Some questions and answers") +
                     element("div", "class=\"wide\"", scrolling(caption, table, "scroll whole")));
}

std::string definitions(const std::vector<std::pair<std::string, std::string>>& entries) {
  std::string out;
  for (const auto& [term, meaning] : entries) {
    if (!meaning.empty()) out += concat("<dt>", escape_markup(term), "</dt><dd>", escape_markup(meaning), "</dd>\n");
  }
  return out.empty() ? out : element("dl", "", out);
}

std::string method_section(const Comparison& comparison) {
  const std::string command = comparison.command.empty()
                                  ? ""
                                  : concat("<p>Made with: <code>", escape_markup(comparison.command), "</code></p>\n");
  const std::string run =
      definitions({{"Machine", comparison.machine},
                   {"Commit", comparison.commit},
                   {"Date", comparison.date},
                   {"Facts", comparison.facts > 0 ? count_text(comparison.facts) : ""},
                   {"Questions", comparison.questions > 0 ? count_text(comparison.questions) : ""},
                   {"Exposures", comparison.exposures > 0
                                     ? "each fact was read about " + decimal_text(comparison.exposures, 1) + " times"
                                     : ""}});
  const std::string words = definitions(
      {{"Recall (exact match)",
        "Share of questions whose answer, without regard to case, punctuation and articles, is one of the "
        "accepted answers to the letter. A question is the beginning of a sentence, which the model finishes "
        "with its likeliest words; nothing can be looked up."},
       {"Wording never read",
        "A way to put the fact that this model has not read for this fact. Right answers show that the "
        "fact, not the sentence, was stored."},
       {"F1",
        "Credit for part of an answer: the harmonic mean of the share of its words that are right and the share of the "
        "right "
        "words that it has, from 0 to 1. Higher is better."},
       {"Nats",
        "How surprised the model is by the right answer: minus the natural logarithm of the probability it gives to "
        "it, "
        "summed over its tokens, then averaged over questions. Lower is better; 0 is certainty."},
       {"Token", "A piece of text, a word or part of one: what a model reads and writes at a time."},
       {"FLOP",
        "One floating-point operation. FLOPs of training are counted from the model's shape, forward and backward, not "
        "measured. GFLOP, TFLOP and PFLOP are 10^9, 10^12 and 10^15 of them."},
       {"Seconds",
        "Time of the training steps on the machine named above, without the asking and the saving in between."},
       {"Seed",
        "A number that fixes the random start. Runs with several seeds show how much of a difference is chance."},
       {"Memory table, slot",
        "A memory layer looks up a few rows (slots) of a large learned table for each token, so that a "
        "model can have many more parameters without more computation."},
       {"Between two measurements",
        "Recall at a budget is read off the straight line between the two nearest times the model was asked."}});
  return element(
      "section", "",
      element("h2", "", "How this was measured") +
          element("div", "class=\"wide\"", command + run + element("h3", "", "What the words mean") + words));
}

}  // namespace

std::string report_html(const Comparison& given) {
  const Comparison comparison = completed(given);
  const std::vector<VariantSummary> variants = summarize(comparison);
  const std::string title =
      escape_markup(comparison.title.empty() ? "Comparison of language models" : comparison.title);
  std::string body = concat("<h1>", title, "</h1>\n", paragraph("", question_text(comparison)));
  const std::string kinds = models_text(comparison);
  if (!kinds.empty()) body += paragraph("", kinds);
  if (!comparison.description.empty()) body += paragraph("lead", comparison.description);
  body += answer_markup(comparison);
  if (!comparison.runs.empty()) {
    body += verdicts_section(comparison, variants);
    body += figures_section("While they learned", "", learning_figures(comparison, variants));
    body += figures_section("What they knew in the end", "", recall_figures(comparison, variants));
    body += examples_section(comparison);
    body += figures_section("How the memory was used", "", usage_figures(comparison, variants));
    body += models_section(comparison, variants);
  }
  body += method_section(comparison);
  // The policy forbids everything but the style below: the page cannot fetch anything, whatever a name in it holds.
  return concat(
      "<!DOCTYPE html>\n<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\">\n<head>\n<meta charset=\"utf-8\"/>\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"/>\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
      "<meta name=\"color-scheme\" content=\"light dark\"/>\n<meta name=\"generator\" content=\"memlayers "
      "report\"/>\n<title>",
      title, "</title>\n<style>", kReportStyle, "</style>\n</head>\n<body>\n<main>\n", body,
      "</main>\n<footer>Drawn by memlayers report from results.json.</footer>\n</body>\n</html>\n");
}

}  // namespace memlayers::evaluation
