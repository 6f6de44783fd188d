#include <limits>
#include <nlohmann/json.hpp>

#include "results/inspection.h"

namespace memlayers::results {
namespace {

using Json = nlohmann::ordered_json;

template <class T, class Convert>
Json array_of(const std::vector<T>& items, const Convert& convert) {
  Json array = Json::array();
  for (const T& item : items) array.push_back(convert(item));
  return array;
}

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

Json json_of(const TableUse& table) {
  const auto most_read = array_of(table.most_read, [](const ReadSlot& slot) {
    return Json{{"slot", slot.slot}, {"reads", slot.reads}, {"by_layer", slot.by_layer}};
  });
  return {{"name", table.name},
          {"slots", table.slots},
          {"layers", table.layers},
          {"read_by", table.read_by},
          {"never_trained", or_null(table.never_trained)},
          {"most_read", most_read}};
}

Json json_of(const HeadUse& use) {
  Json json = {{"layer", use.layer}};
  if (use.head != kAllHeads) json["head"] = use.head;
  json.update(Json{{"table", use.table},
                   {"slots", use.spread.slots},
                   {"reads", use.reads},
                   {"dead", use.dead},
                   {"hot", use.hot},
                   {"used_share", use.spread.used_share},
                   {"top_percent_share", use.spread.top_percent_share},
                   {"kl_to_uniform", use.spread.kl_to_uniform},
                   {"read_share", use.spread.read_share}});
  return json;
}

Json json_of(const LayerPair& pair) {
  return {
      {"table", pair.table}, {"layers", {pair.first, pair.second}}, {"both", pair.both}, {"by_chance", pair.by_chance}};
}

/// Infinity is no JSON number: null.
Json json_of(const TableDrift& drift) {
  const auto most = array_of(drift.most, [](const MovedRow& row) {
    return Json{{"slot", row.slot}, {"relative", row.relative}, {"distance", row.distance}, {"reads", row.reads}};
  });
  return {{"name", drift.name},           {"slots", drift.slots},
          {"unmoved", drift.unmoved},     {"from_zero", drift.from_zero},
          {"whole", drift.whole},         {"median", drift.median},
          {"largest", drift.largest},     {"edges", drift_edges()},
          {"histogram", drift.histogram}, {"most", most}};
}

Json json_of(const LitText& text) {
  return {{"source", text.source}, {"id", text.id},     {"weight", text.weight},
          {"reads", text.reads},   {"text", text.text}, {"token", text.token}};
}

Json json_of(const SlotLight& light) {
  const auto heads = array_of(light.heads, [](const SlotLight::By& by) {
    return Json{{"layer", by.layer}, {"head", by.head}, {"reads", by.reads}, {"weight", by.weight}};
  });
  const auto text = [](const LitText& lit) { return json_of(lit); };
  return {{"slot", light.slot},
          {"table", light.table},
          {"heads", heads},
          {"documents", array_of(light.documents, text)},
          {"questions", array_of(light.questions, text)}};
}

Json json_of(const AskedQuestion& asked) {
  const auto heads = array_of(asked.heads, [](const AskedQuestion::Head& head) {
    const auto slots = array_of(head.slots, [](const ChosenSlot& slot) {
      return Json{
          {"slot", slot.slot}, {"weight", slot.weight}, {"reads", slot.reads}, {"layer_reads", slot.layer_reads}};
    });
    return Json{{"layer", head.layer}, {"head", head.head}, {"slots", slots}};
  });
  return {{"id", or_null(asked.id)},  {"prompt", asked.prompt}, {"token", asked.token}, {"said", asked.said},
          {"answers", asked.answers}, {"right", asked.right},   {"heads", heads}};
}

}  // namespace

const std::vector<double>& drift_edges() {
  static const std::vector<double> edges{
      1e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, std::numeric_limits<double>::infinity()};
  return edges;
}

std::string inspection_json(const Inspection& inspection) {
  const auto convert = [](const auto& item) { return json_of(item); };
  Json json{{"model", inspection.model},
            {"data", inspection.data},
            {"split", inspection.split},
            {"documents", inspection.documents},
            {"tokens", inspection.tokens},
            {"questions", inspection.questions},
            {"question_tokens", inspection.question_tokens},
            {"interrupted", inspection.interrupted},
            {"hot_factor", inspection.hot_factor},
            {"tables", array_of(inspection.tables, convert)},
            {"layers", array_of(inspection.layers, convert)},
            {"heads", array_of(inspection.heads, convert)},
            {"pairs", array_of(inspection.pairs, convert)}};
  if (!inspection.since.empty()) json["since"] = inspection.since;
  if (!inspection.drift.empty()) json["drift"] = array_of(inspection.drift, convert);
  if (!inspection.lights.empty()) json["slot"] = array_of(inspection.lights, convert);
  if (inspection.asked) json["asked"] = json_of(*inspection.asked);
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace memlayers::results
