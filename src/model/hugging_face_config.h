// A config.json as Hugging Face's library writes it, in its older and its newest spelling, turned into our keys.
#pragma once

#include <string>

#include "base/yaml_document.h"
#include "model/model_config.h"

namespace memlayers::model {

/// The keys of `root` that ModelConfig has: keys that do not touch the computation are left out, both spellings of
/// rotations become rope_theta and rope_scaling, of several ends of text the first is taken. Throws UsageError
/// "ORIGIN:LINE: ..." for what would change the computation and is not supported, by its name, and where spellings
/// disagree.
base::ConfigNode own_keys(const base::ConfigNode& root, const std::string& origin);

/// What a config.json of that model_type means by the keys that it leaves out. `root` says the type; llama where it
/// says none. Throws UsageError: a type that is not supported.
ModelConfig hugging_face_defaults(const base::ConfigNode& root, const std::string& origin);

}  // namespace memlayers::model
