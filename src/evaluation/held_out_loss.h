// The mean cross-entropy of a trained model over documents it has not read.
#pragma once

#include <optional>

#include "data/shards/loader.h"
#include "model/transformer.h"

namespace memlayers::evaluation {

/// The validation split of `folder` in a fixed order, cut as `like` cuts its data. Throws IoError: no prepared folder
/// or no such split.
data::Loader held_out_loader(const data::LoaderConfig& like, const std::filesystem::path& folder);

/// Mean nats a token over the first `batches` batches of held_out_loader(); a function of the data and the model only.
/// Nothing when interrupted. Throws what held_out_loader() does, and UsageError: another tokenizer's vocabulary.
std::optional<double> held_out_loss(model::Transformer& model, const data::LoaderConfig& like,
                                    const std::filesystem::path& folder, int64_t batches);

}  // namespace memlayers::evaluation
