// What an inspection found as tables of text, the same for the terminal and for the page.
#pragma once

#include "report/page/html_markup.h"
#include "results/inspection.h"

namespace memlayers::report {

/// One row a layer, followed by one for each of its heads.
Table use_table(const results::Inspection& inspection);
Table tables_table(const results::Inspection& inspection);
/// No rows where no table has two readers.
Table pairs_table(const results::Inspection& inspection);
Table most_read_table(const results::Inspection& inspection, const results::TableUse& table);
Table drift_table(const results::Inspection& inspection);
Table histogram_table(const results::TableDrift& drift);
Table moved_table(const results::TableDrift& drift);
Table light_table(const results::SlotLight& light);
Table lit_texts_table(const std::string& caption, const std::vector<results::LitText>& texts);
/// The slots of one head, largest weight first; at most `top` (0: all).
Table chosen_table(const results::AskedQuestion::Head& head, size_t top);

/// "8,192 tokens of 311 documents (train of data/quickstart)".
std::string sweep_text(const results::Inspection& inspection);
/// "under 0.01", "0.01 to 0.03", "10 and more".
std::string bin_text(size_t bin);
/// A table's name without "model." and ".weight".
std::string table_label(const std::string& name);
/// The prompt, what was said, and whether that is right where it is known.
std::string asked_line(const results::AskedQuestion& asked);

}  // namespace memlayers::report
