#include "training/metrics.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"

namespace memlayers::training {
namespace {

bool belongs_to_steps_up_to(int64_t last_step, const std::string& line) {
  const auto parsed = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  return parsed.is_object() && parsed.contains("step") && parsed["step"].is_number_integer() &&
         parsed["step"].get<int64_t>() <= last_step;
}

void cut_lines_after(const std::filesystem::path& path, int64_t last_step) {
  if (!std::filesystem::exists(path)) return;
  const std::string text = base::read_text(path);
  std::string kept;
  for (size_t begin = 0, end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    const std::string line = text.substr(begin, end - begin);
    if (belongs_to_steps_up_to(last_step, line)) kept += line + "\n";
  }
  if (kept != text) base::write_text_atomically(path, kept);
}

void add_scalars(base::EventWriter& events, int64_t step, const std::string& tag, const nlohmann::ordered_json& value) {
  if (value.is_number()) return events.add_scalar(tag, step, value.get<double>());
  if (!value.is_object()) return;
  for (const auto& [key, item] : value.items()) {
    if (key != "step") add_scalars(events, step, tag.empty() ? key : tag + "/" + key, item);
  }
}

}  // namespace

MetricsWriter::MetricsWriter(const std::filesystem::path& run, int64_t last_step, bool tensorboard)
    : path_(run / "metrics.jsonl") {
  cut_lines_after(path_, last_step);
  file_.open(path_, std::ios::app);
  if (!file_) throw base::IoError(path_, "cannot be opened for writing");
  if (tensorboard) events_ = std::make_unique<base::EventWriter>(run / "tensorboard", last_step + 1);
}

void MetricsWriter::write(const nlohmann::ordered_json& line) {
  file_ << line.dump() << std::endl;  // flushed: a reader may follow the run, and a kill loses nothing
  if (!file_) throw base::IoError(path_, "cannot be written (is the disk full?)");
  if (events_) add_scalars(*events_, line.at("step").get<int64_t>(), "", line);
}

}  // namespace memlayers::training
