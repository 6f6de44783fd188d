// A chart of the page as a file of its own: for papers, slides and whoever draws PNG out of it.
#pragma once

#include <string>

namespace memlayers::report {

/// `svg` with the page's rules for charts inside it and every color variable replaced by its light value, on white: no
/// reader of SVG needs style sheets with variables then.
std::string standalone_svg(const std::string& svg);

}  // namespace memlayers::report
