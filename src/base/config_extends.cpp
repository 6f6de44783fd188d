// A configuration's file under which other files lie.
#include <algorithm>
#include <optional>

#include "base/config_reader.h"
#include "base/error.h"

namespace memlayers::base {
namespace {

using Kind = ConfigNode::Kind;

void set_file(ConfigNode& node, int file) {
  node.file = file;
  for (ConfigNode::Key& key : node.keys) key.file = file;
  for (ConfigNode& item : node.items) set_file(item, file);
}

/// Sections key by key; of everything else `over` alone.
ConfigNode joined(ConfigNode under, ConfigNode over) {
  if (under.kind != Kind::kMapping || over.kind != Kind::kMapping) return over;
  for (size_t i = 0; i < over.items.size(); ++i) {
    const auto same = std::find_if(under.keys.begin(), under.keys.end(),
                                   [&](const ConfigNode::Key& key) { return key.name == over.keys[i].name; });
    if (same == under.keys.end()) {
      under.keys.push_back(std::move(over.keys[i]));
      under.items.push_back(std::move(over.items[i]));
      continue;
    }
    ConfigNode& item = under.items[static_cast<size_t>(same - under.keys.begin())];
    item = joined(std::move(item), std::move(over.items[i]));
    *same = std::move(over.keys[i]);
  }
  static_cast<ConfigPlace&>(under) = over;
  return under;
}

/// Takes the key `extends` out of `root`. Nothing where it is not there.
std::optional<ConfigNode> take_extends(ConfigNode& root) {
  for (size_t i = 0; root.kind == Kind::kMapping && i < root.keys.size(); ++i) {
    if (root.keys[i].name != "extends") continue;
    ConfigNode named = std::move(root.items[i]);
    root.keys.erase(root.keys.begin() + static_cast<int64_t>(i));
    root.items.erase(root.items.begin() + static_cast<int64_t>(i));
    return named;
  }
  return std::nullopt;
}

/// `above`: the files from the one that was asked for to the one that names `path`.
ConfigNode read_under(const std::filesystem::path& path, std::vector<std::filesystem::path> above,
                      std::vector<std::string>& origins) {
  const int file = static_cast<int>(origins.size());
  ConfigNode root = read_alone(path, origins);
  set_file(root, file);
  const std::optional<ConfigNode> named = take_extends(root);
  if (!named) return root;
  const std::string where = concat(path.string(), ":", named->line, ": extends: ");
  check(named->kind == Kind::kPlain || named->kind == Kind::kText, where, "expected the name of one file");
  const std::filesystem::path under = (path.parent_path() / named->text).lexically_normal();
  above.push_back(path.lexically_normal());
  check(std::find(above.begin(), above.end(), under) == above.end(), where, under.string(), " extends itself");
  check(std::filesystem::is_regular_file(under), where, "there is no file ", under.string());
  return joined(read_under(under, std::move(above), origins), std::move(root));
}

}  // namespace

ConfigNode read_alone(const std::filesystem::path& path, std::vector<std::string>& origins) {
  origins.push_back(path.string());
  return parse_yaml(read_config_text(path), path.string());
}

ConfigNode read_extending(const std::filesystem::path& path, std::vector<std::string>& origins) {
  return read_under(path, {}, origins);
}

}  // namespace memlayers::base
