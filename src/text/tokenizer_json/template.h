// The post-processor of a tokenizer.json: the ids that it puts before and after a text.
#pragma once

#include <cstdint>
#include <vector>

#include "text/tokenizer_json/format.h"

namespace memlayers::text {

struct Template {
  std::vector<int32_t> before, after;
};

/// TemplateProcessing, BertProcessing, RobertaProcessing, ByteLevel (which changes no ids), or a Sequence of them;
/// null: nothing. Throws FormatError.
Template template_of(const Json& component);

}  // namespace memlayers::text
