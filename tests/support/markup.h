// A strict reader of the markup the report writes: tags must nest, attributes must be quoted, entities must be known.
#pragma once

#include <cctype>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace memlayers::tests {

/// The first fault of `text` as XML, or "" for none. <!DOCTYPE html> and the content of <style> are passed over.
inline std::string markup_fault(std::string_view text) {
  std::vector<std::string> open;
  std::set<std::string> ids;
  size_t at = 0;
  const auto fault = [&](const std::string& what) { return what + " at ..." + std::string(text.substr(at, 60)); };
  if (text.starts_with("<!DOCTYPE html>")) at = 15;
  while (at < text.size()) {
    if (text[at] == '&') {
      const size_t end = text.find(';', at);
      const std::set<std::string_view> known{"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"};
      if (end == std::string_view::npos || !known.contains(text.substr(at, end + 1 - at))) return fault("bad entity");
      at = end + 1;
      continue;
    }
    if (text[at] != '<') {
      if (text[at] == '>') return fault("bare >");
      if (static_cast<unsigned char>(text[at]) < 0x20 && text[at] != '\n' && text[at] != '\t')
        return fault("control character");
      ++at;
      continue;
    }
    const size_t end = text.find('>', at);
    if (end == std::string_view::npos) return fault("unclosed tag");
    std::string_view tag = text.substr(at + 1, end - at - 1);
    if (tag.starts_with('/')) {
      if (open.empty() || open.back() != tag.substr(1)) return fault("wrong closing tag");
      open.pop_back();
      at = end + 1;
      continue;
    }
    const bool closed = tag.ends_with('/');
    if (closed) tag.remove_suffix(1);
    const size_t name_end = std::min(tag.find(' '), tag.size());
    const std::string name(tag.substr(0, name_end));
    for (std::string_view rest = tag.substr(name_end); !rest.empty();) {
      while (rest.starts_with(' ')) rest.remove_prefix(1);
      if (rest.empty()) break;
      const size_t equals = rest.find("=\"");
      const size_t quote = equals == std::string_view::npos ? equals : rest.find('"', equals + 2);
      if (quote == std::string_view::npos) return fault("unquoted attribute");
      if (rest.substr(0, equals).find(' ') != std::string_view::npos) return fault("attribute without value");
      const std::string value(rest.substr(equals + 2, quote - equals - 2));
      if (value.find('<') != std::string::npos) return fault("< in attribute");
      if (rest.substr(0, equals) == "id" && !ids.insert(value).second) return fault("id used twice");
      rest.remove_prefix(quote + 1);
    }
    at = end + 1;
    if (closed) continue;
    if (name == "style") {
      at = text.find("</style>", at);
      if (at == std::string_view::npos) return "unclosed style";
    }
    open.push_back(name);
  }
  return open.empty() ? "" : "never closed: " + open.back();
}

inline size_t occurrences(std::string_view text, std::string_view part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + part.size())) ++count;
  return count;
}

}  // namespace memlayers::tests
