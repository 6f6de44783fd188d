#include "evaluation/tables/slot_inspection.h"

#include <algorithm>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/safetensors/safetensors.h"
#include "base/utf8.h"
#include "evaluation/questions/answer_text.h"
#include "evaluation/questions/asking.h"
#include "evaluation/tables/inspected_texts.h"
#include "evaluation/tables/read_counts.h"
#include "evaluation/tables/slot_light.h"
#include "evaluation/tables/table_drift.h"

namespace memlayers::evaluation {
namespace {

constexpr int64_t kBatchTokens = 4096;
constexpr int64_t kAnswerTokens = 24;

/// What is wrong with the call is said before anything is read.
void check_call(const model::Transformer& model, const text::Tokenizer& tokenizer, const InspectOptions& options) {
  base::check(!tables_with_values(model).empty(), "the model has no memory layers, so there is no table to inspect");
  const int64_t slots = model.tables()[0].table->rows();
  base::check(!options.slot || (*options.slot >= 0 && *options.slot < slots), "slot ", options.slot.value_or(0),
              " is outside of the table; its slots are 0 to ", slots - 1);
  if (!options.ask) return;
  base::check(!base::trimmed(options.ask->prompt).empty(), "the prompt to ask is empty");
  const size_t length = prompt_ids(tokenizer, options.ask->prompt).size();
  base::check(static_cast<int64_t>(length) < model.config().max_position_embeddings, "the prompt to ask has ", length,
              " tokens; the model's max_position_embeddings is ", model.config().max_position_embeddings);
}

int64_t tokens_of(const std::vector<Passage>& passages) {
  int64_t tokens = 0;
  for (const Passage& passage : passages) tokens += static_cast<int64_t>(passage.ids.size());
  return tokens;
}

/// What a sweep has read: owners and tokens.
struct Swept {
  int64_t owners = 0, tokens = 0;
};

Swept sweep(model::Transformer& model, const std::vector<Passage>& passages, const std::string& title,
            const std::function<void(const TokenRead&)>& visit) {
  std::optional<base::Progress> progress;
  if (!title.empty()) progress.emplace(title, static_cast<uint64_t>(tokens_of(passages)), "tokens");
  const std::vector<bool> read = sweep_reads(model, passages, kBatchTokens, visit, [&](int64_t tokens) {
    if (progress) progress->update(static_cast<uint64_t>(tokens));
  });
  if (progress) progress->finish();
  Swept swept;
  int64_t last = -1;  // passages of one owner are neighbors
  for (size_t i = 0; i < passages.size(); ++i) {
    if (!read[i]) continue;
    swept.tokens += static_cast<int64_t>(passages[i].ids.size());
    swept.owners += passages[i].owner != last ? 1 : 0;
    last = passages[i].owner;
  }
  return swept;
}

/// Slots that no training step has read, by table name; nothing where the checkpoint does not say.
std::optional<int64_t> never_trained(const std::filesystem::path& state, const std::string& table) {
  if (state.empty() || !std::filesystem::exists(state)) return std::nullopt;
  const base::SafetensorsFile file(state);
  const std::string name = "usage." + table + ".ever_read";
  if (!file.contains(name)) return std::nullopt;
  const std::span<const std::byte> read = file.tensor(name).bytes;
  return std::count(read.begin(), read.end(), std::byte{0});
}

std::vector<results::SlotLight> lights_of(const InspectOptions& options, const text::Tokenizer& tokenizer,
                                          const DocumentSample& sample, const SlotLights& in_documents,
                                          const std::vector<Passage>& prompts, const SlotLights& in_questions,
                                          size_t tables) {
  std::vector<results::SlotLight> lights;
  for (int64_t table = 0; table < static_cast<int64_t>(tables); ++table) {
    results::SlotLight light{*options.slot, table, in_documents.heads(table), {}, {}};
    for (const SlotLights::Owner& lit : in_documents.top(table, options.top)) {
      light.documents.push_back({sample.source(lit.owner), sample.id(lit.owner), lit.weight, lit.reads,
                                 sample.text(lit.owner),
                                 text_up_to(tokenizer, sample.passages()[lit.passage], lit.position)});
    }
    for (const SlotLights::Owner& lit : in_questions.top(table, options.top)) {
      const data::Question& question = options.questions[lit.owner];
      light.questions.push_back({options.questions_name, question.id, lit.weight, lit.reads, excerpt(question.prompt),
                                 text_up_to(tokenizer, prompts[lit.passage], lit.position)});
    }
    lights.push_back(std::move(light));
  }
  return lights;
}

results::AskedQuestion asked(model::Transformer& model, const text::Tokenizer& tokenizer, const InspectOptions& options,
                             const ReadCounts& counts) {
  const data::Question& question = *options.ask;
  results::AskedQuestion result;
  if (options.ask_has_id) result.id = question.id;
  result.prompt = question.prompt;
  result.answers = question.answers;
  const bool typed = question.answers.empty();  // then taken as it is
  const Passage prompt{0, prompt_ids(tokenizer, typed ? question.prompt : asked_prompt(question))};
  const auto last = static_cast<int64_t>(prompt.ids.size()) - 1;
  result.token = tokenizer.decode({static_cast<int32_t>(prompt.ids.back())});
  base::repair_utf8(result.token);

  const int64_t heads = model.config().memory.heads, top_k = model.config().memory.top_k;
  sweep_reads(model, {prompt}, kBatchTokens, [&](const TokenRead& read) {
    if (read.position != last) return;
    for (int64_t head = 0; head < heads; ++head) {
      results::AskedQuestion::Head chosen{read.layer, head, {}};
      for (int64_t i = head * top_k; i < (head + 1) * top_k; ++i) {
        chosen.slots.push_back({read.slots[i], read.weights[i], counts.reads(read.layer, head, read.slots[i]),
                                counts.layer_reads(read.layer, read.slots[i])});
      }
      std::stable_sort(chosen.slots.begin(), chosen.slots.end(),
                       [](const results::ChosenSlot& a, const results::ChosenSlot& b) { return a.weight > b.weight; });
      result.heads.push_back(std::move(chosen));
    }
  });

  if (!typed) {
    const Asked asked = ask(model, tokenizer, {question}, {});
    base::check(asked.problems.empty(), asked.problems.empty() ? "" : asked.problems[0]);
    for (const Answer& answer : asked.answers) {  // none where this was interrupted
      result.said = answer.text;
      result.right = answer.exact_match;
    }
    return result;
  }
  generation::SamplingOptions sampling;
  sampling.max_new_tokens = kAnswerTokens;
  sampling.stop_ids = {tokenizer.eos()};
  result.said = extract_answer(text_of(tokenizer, Requests(model).generate({prompt.ids}, sampling)[0].ids));
  base::repair_utf8(result.said);
  return result;
}

std::string joined_paths(const std::vector<data::SourceConfig>& sources) {
  std::string text;
  for (const data::SourceConfig& source : sources) text += (text.empty() ? "" : ", ") + source.path;
  return text;
}

}  // namespace

results::Inspection inspect(model::Transformer& model, const text::Tokenizer& tokenizer,
                            const InspectOptions& options) {
  check_call(model, tokenizer, options);
  results::Inspection result;
  result.data = joined_paths(options.sources);
  result.split = options.split;
  result.hot_factor = options.hot_factor;
  result.since = options.since_name;
  if (options.since != nullptr) result.drift = model_drift(model, *options.since, options.since_name, options.top);

  std::vector<ReadCounts::Table> tables;
  for (const auto& [name, table] : tables_with_values(model)) tables.push_back({name, table->rows()});
  const auto num_tables = static_cast<int64_t>(tables.size());
  const int64_t heads = model.config().memory.heads;
  const int64_t max_length = std::min(options.max_length, model.config().max_position_embeddings);
  const DocumentSample sample(options.sources, options.split, options.tokens, max_length, tokenizer);
  ReadCounts counts(tables, heads);
  SlotLights documents(options.slot.value_or(-1), num_tables, heads);
  const Swept read = sweep(model, sample.passages(), options.progress ? "inspect" : "", [&](const TokenRead& each) {
    counts.add(each);
    if (options.slot) documents.add(each, sample.passages()[each.passage].owner);
  });
  result.documents = read.owners;
  result.tokens = read.tokens;
  counts.summarize(options.hot_factor, options.top, result);
  for (results::TableUse& table : result.tables)
    table.never_trained = never_trained(options.training_state, table.name);
  for (results::TableDrift& drift : result.drift) {
    const auto found = std::ranges::find(tables, drift.name, &ReadCounts::Table::name);
    if (found == tables.end()) continue;  // PEER's first table, whose slots are read with the second's; n-grams'
    for (results::MovedRow& row : drift.most) row.reads = counts.table_reads(found - tables.begin(), row.slot);
  }
  if (options.slot) {
    SlotLights questions(*options.slot, num_tables, heads);
    const auto prompts = question_passages(options.questions, options.tokens, max_length, tokenizer);
    const Swept asking = sweep(model, prompts, options.progress && !prompts.empty() ? "questions" : "",
                               [&](const TokenRead& each) { questions.add(each, prompts[each.passage].owner); });
    result.questions = asking.owners;
    result.question_tokens = asking.tokens;
    result.lights = lights_of(options, tokenizer, sample, documents, prompts, questions, tables.size());
  }
  result.interrupted = base::interrupted();
  if (options.ask && !result.interrupted) result.asked = asked(model, tokenizer, options, counts);
  return result;
}

}  // namespace memlayers::evaluation
