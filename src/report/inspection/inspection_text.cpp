#include <algorithm>

#include "base/error.h"
#include "report/inspection/inspection_tables.h"
#include "report/page/text_table.h"
#include "results/number_text.h"

namespace memlayers::report {
namespace {

constexpr size_t kTextWidth = 72, kTokenWidth = 28, kChosenRows = 8;

std::string titled(const Table& table) {
  std::vector<std::vector<std::string>> rows{table.head};
  rows.insert(rows.end(), table.rows.begin(), table.rows.end());
  return table.caption + "\n" + aligned_rows(rows, "  ") + "\n";
}

/// The first or last `width` characters of UTF-8 `text`.
std::string cut(const std::string& text, size_t width, bool keep_end) {
  std::vector<size_t> begins;
  for (size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) begins.push_back(i);
  }
  if (begins.size() <= width) return text;
  return keep_end ? "..." + text.substr(begins[begins.size() - width]) : text.substr(0, begins[width]) + "...";
}

/// Long texts after their numbers, cut to the terminal's width.
std::string texts(const std::string& caption, const std::vector<results::LitText>& lit) {
  if (lit.empty()) return caption + "\n  none\n\n";
  Table table = lit_texts_table(caption, lit);
  std::vector<std::vector<std::string>> rows{table.head};
  for (auto& row : table.rows) {
    row[3] = cut(row[3].substr(3), kTokenWidth, true);
    row[4] = cut(row[4], kTextWidth, false);
    rows.push_back(row);
  }
  return table.caption + "\n" + aligned_rows(rows, "  ", kAllLeft) + "\n";
}

std::string light_text(const results::Inspection& inspection, const results::SlotLight& light) {
  std::string out;
  if (inspection.lights.size() > 1) out += table_label(inspection.tables[light.table].name) + "\n";
  if (light.heads.empty()) {
    out += base::concat("Slot ", light.slot, " was not read by any of ", sweep_text(inspection), "\n\n");
  } else {
    out += titled(light_table(light));
    out += texts(base::concat("Documents that light slot ", light.slot, ", most weight first"), light.documents);
  }
  if (inspection.questions > 0) {
    out += texts(base::concat("Questions that light slot ", light.slot, ", most weight first (of ",
                              results::count_text(inspection.questions), ")"),
                 light.questions);
  }
  return out;
}

std::string asked_text(const results::AskedQuestion& asked) {
  std::string out = "Asked " + asked_line(asked) + "\nSlots read at the prompt's last token, \"" + asked.token +
                    "\", where the answer begins; reads: in the sweep\n\n";
  for (const results::AskedQuestion::Head& head : asked.heads) out += titled(chosen_table(head, kChosenRows));
  return out;
}

}  // namespace

std::string inspection_text(const results::Inspection& inspection) {
  std::string out = inspection.model + ": its tables while it read " + sweep_text(inspection) + "\n\n";
  if (inspection.tokens > 0) {
    out += titled(use_table(inspection));
    out +=
        base::concat("Dead: slots not read in this sweep. Hot: read ", results::decimal_text(inspection.hot_factor, 1),
                     " times as often as even reading would, or more.\n\n");
    out += titled(tables_table(inspection));
    if (!inspection.pairs.empty()) out += titled(pairs_table(inspection));
    for (const results::TableUse& table : inspection.tables) out += titled(most_read_table(inspection, table));
  }
  if (!inspection.drift.empty()) {
    Table drift = drift_table(inspection);
    drift.caption += " since " + inspection.since + ", relative to their length then";
    out += titled(drift);
    for (const results::TableDrift& table : inspection.drift) {
      out += titled(histogram_table(table));
      if (!table.most.empty()) out += titled(moved_table(table));
    }
  }
  for (const results::SlotLight& light : inspection.lights) out += light_text(inspection, light);
  if (inspection.asked) out += asked_text(*inspection.asked);
  // Texts of documents must not move the cursor or color the terminal.
  std::erase_if(out, [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\n') || c == 0x7F; });
  return out;
}

}  // namespace memlayers::report
