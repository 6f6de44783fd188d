#include "experiments/learning_curve.h"

#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "base/error.h"

namespace memlayers::experiments {
namespace {

/// Calls `use` with every whole line that is a JSON object.
void for_each_object(const std::filesystem::path& path, const std::function<void(const nlohmann::json&)>& use) {
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    const auto object = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (object.is_object() && object.contains("step")) use(object);
  }
}

results::CurvePoint point_of(const nlohmann::json& object, const char* loss_key) {
  results::CurvePoint point;
  point.step = object.at("step");
  point.tokens = object.value("tokens", int64_t{0});
  point.flops = object.value("flops", 0.0);
  point.seconds = object.value("seconds", 0.0);
  point.loss = object.value(loss_key, 0.0);
  point.recall = object.value("recall", -1.0);
  point.recall_seen = object.value("recall_seen", -1.0);
  point.nats = object.value("nats", -1.0);
  point.nats_seen = object.value("nats_seen", -1.0);
  return point;
}

}  // namespace

void set_scores(results::CurvePoint& point, const evaluation::Scores& scores) {
  const auto asked = [](const evaluation::Score& score, double value) { return score.questions > 0 ? value : -1; };
  point.recall = asked(scores.unseen, scores.unseen.exact_match);
  point.recall_seen = asked(scores.seen, scores.seen.exact_match);
  point.nats = asked(scores.unseen, scores.unseen.nats);
  point.nats_seen = asked(scores.seen, scores.seen.nats);
}

LearningCurve::LearningCurve(const std::filesystem::path& run) : run_(run) {
  for_each_object(run / "recall.jsonl", [&](const nlohmann::json& object) {
    const results::CurvePoint point = point_of(object, "loss");
    asked_[point.step] = point;
  });
}

void LearningCurve::add(const training::StepReport& report, const std::optional<evaluation::Scores>& scores) {
  results::CurvePoint& point = asked_[report.step];
  point = {report.step, report.tokens, report.flops, report.seconds, report.loss};
  if (scores) set_scores(point, *scores);
  const std::filesystem::path path = run_ / "recall.jsonl";
  std::ofstream out(path, std::ios::app);
  // Begins with a line end, so that what a kill tore off stays a line of its own.
  out << "\n" << base::config_to_json(point).dump() << std::endl;
  if (!out) throw base::IoError(path, "cannot be written (is the disk full?)");
}

std::vector<results::CurvePoint> LearningCurve::points() const {
  std::map<int64_t, results::CurvePoint> points = asked_;
  for_each_object(run_ / "metrics.jsonl", [&](const nlohmann::json& object) {
    if (!object.contains("mean_loss")) return;
    const results::CurvePoint measured = point_of(object, "mean_loss");
    const auto [place, is_new] = points.emplace(measured.step, measured);
    if (!is_new) place->second.loss = measured.loss;
  });
  std::vector<results::CurvePoint> sorted;
  for (const auto& [step, point] : points) sorted.push_back(point);
  return sorted;
}

}  // namespace memlayers::experiments
