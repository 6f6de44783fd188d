#include "text/tokenizer_json/template.h"

namespace memlayers::text {
namespace {

constexpr const char* kWhat = "post_processor";

int32_t id_of(const Json& value) {
  require(value.is_number_integer() && value.dump().size() <= 9 && value.get<int64_t>() >= 0, kWhat, ": an id is ",
          value.dump().substr(0, 40), ", expected a whole number from 0 on");
  return value.get<int32_t>();
}

/// The ids of a special token that a template names.
std::vector<int32_t> ids_of(const Json& component, const std::string& name) {
  const auto tokens = component.find("special_tokens");
  require(tokens != component.end() && tokens->is_object() && tokens->contains(name), kWhat, ": the template names \"",
          name.substr(0, 60), "\", which its special_tokens do not define");
  std::vector<int32_t> ids;
  for (const Json& id : list_of((*tokens)[name], "ids", kWhat)) ids.push_back(id_of(id));
  return ids;
}

/// {"SpecialToken": {"id": "<s>"}} or {"Sequence": {"id": "A"}}: its kind and its id.
std::pair<std::string, std::string> item_of(const Json& item) {
  require(item.is_object() && item.size() == 1, kWhat, ": an item of the template is not one SpecialToken or Sequence");
  const std::string kind = item.begin().key();
  require(kind == "SpecialToken" || kind == "Sequence", kWhat, ": the template's \"", kind.substr(0, 60),
          "\" is not supported");
  return {kind, text_of(*item.begin(), "id", "", kWhat)};
}

Template from_template(const Json& component) {
  Template result;
  bool text_seen = false;
  for (const Json& item : list_of(component, "single", kWhat)) {
    const auto [kind, id] = item_of(item);
    if (kind == "Sequence") {
      require(!text_seen && id == "A", kWhat, ": the template for one text has more than the text A");
      text_seen = true;
      continue;
    }
    const std::vector<int32_t> ids = ids_of(component, id);
    std::vector<int32_t>& side = text_seen ? result.after : result.before;
    side.insert(side.end(), ids.begin(), ids.end());
  }
  require(text_seen, kWhat, ": the template for one text leaves the text out");
  // Of two texts only the names are checked: nothing here puts two together.
  if (component.contains("pair") && component["pair"].is_array()) {
    for (const Json& item : component["pair"]) {
      const auto [kind, id] = item_of(item);
      if (kind == "SpecialToken") ids_of(component, id);
    }
  }
  return result;
}

int32_t named_id(const Json& component, const char* key) {
  const Json& pair = list_of(component, key, kWhat);
  require(pair.size() == 2 && pair[0].is_string(), kWhat, ": ", key, " is not a token with its id");
  return id_of(pair[1]);
}

}  // namespace

Template template_of(const Json& component) {
  if (component.is_null()) return {};
  const std::string type = type_of(component, kWhat);
  if (type == "ByteLevel") return {};
  if (type == "TemplateProcessing") return from_template(component);
  if (type == "BertProcessing" || type == "RobertaProcessing")
    return {{named_id(component, "cls")}, {named_id(component, "sep")}};
  if (type != "Sequence") throw_unknown(kWhat, type);
  Template result;
  for (const Json& part : list_of(component, "processors", kWhat)) {
    Template own = template_of(part);
    // The later one is put around what the earlier ones gave.
    result.before.insert(result.before.begin(), own.before.begin(), own.before.end());
    result.after.insert(result.after.end(), own.after.begin(), own.after.end());
  }
  return result;
}

}  // namespace memlayers::text
