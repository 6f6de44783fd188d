#include "evaluation/held_out_loss.h"

#include <ATen/ATen.h>

#include "base/error.h"
#include "base/interrupt.h"
#include "model/batch.h"

namespace memlayers::evaluation {

data::Loader held_out_loader(const data::LoaderConfig& like, const std::filesystem::path& folder) {
  data::LoaderConfig config = like;
  config.sources = {{folder.string(), 1.0}};
  config.seed = 1;  // the same documents for every run, whatever order it trained in
  return {config, "validation"};
}

std::optional<double> held_out_loss(model::Transformer& model, const data::LoaderConfig& like,
                                    const std::filesystem::path& folder, int64_t batches) {
  data::Loader loader = held_out_loader(like, folder);
  base::check(loader.vocab_size() == model.config().vocab_size, folder.string(), ": its tokenizer has ",
              loader.vocab_size(), " tokens, but the model ", model.config().vocab_size,
              "; prepare it with the tokenizer of the training data (kind: path)");
  const at::InferenceMode guard;
  double sum = 0;
  for (int64_t i = 0; i < batches; ++i) {
    if (base::interrupted()) return std::nullopt;
    sum += model.losses(model::batch_tensor(loader.next(), like.batch_size)).cross_entropy.item<double>();
  }
  return sum / static_cast<double>(batches);
}

}  // namespace memlayers::evaluation
