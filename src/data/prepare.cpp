#include "data/prepare.h"

#include <algorithm>
#include <numeric>

#include "base/enum_names.h"
#include "base/error.h"
#include "base/file.h"
#include "base/input_file.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/output.h"
#include "base/random.h"
#include "data/line_sample.h"
#include "data/shards/prepared_data.h"
#include "data/shards/split_writer.h"
#include "data/sources/biography_file.h"
#include "data/sources/document_source.h"
#include "data/sources/iso_codes.h"
#include "text/tokenizer_files.h"

namespace memlayers::data {
namespace {

namespace fs = std::filesystem;
using base::check;
using base::concat;
using nlohmann::ordered_json;
using Sources = std::vector<std::unique_ptr<DocumentSource>>;

std::vector<fs::path> input_files(const PrepareConfig& config) {
  std::vector<fs::path> files;
  if (!config.tokenizer.path.empty()) files.push_back(config.tokenizer.path);
  for (const PrepareSource& source : config.sources) {
    if (source.kind == SourceKind::kIsoCodes) {
      const fs::path folder = source.path.empty() ? kIsoCodesFolder : source.path;
      for (const char* standard : {"3166-1", "3166-2", "3166-3", "639-3", "639-5", "4217", "15924"}) {
        files.push_back(folder / concat("iso_", standard, ".json"));
      }
    }
    for (const std::string& path : {source.path, source.patterns}) {
      if (!path.empty() && source.kind != SourceKind::kIsoCodes) files.emplace_back(path);
    }
  }
  return files;
}

/// Path, size and time of every input, by which a later call knows that nothing has changed.
ordered_json describe_inputs(const PrepareConfig& config) {
  ordered_json inputs = ordered_json::array();
  for (const fs::path& file : input_files(config)) {
    std::error_code error;
    const auto size = fs::is_regular_file(file, error) ? fs::file_size(file, error) : 0;
    const auto time = fs::last_write_time(file, error);
    if (error) throw base::IoError(file, "cannot be read: " + error.message());
    inputs.push_back({{"path", file.string()}, {"bytes", size}, {"time", time.time_since_epoch().count()}});
    // The same name may give other bytes each time, so such data are never taken for already prepared.
    if (base::is_read_once(file)) inputs.back() = {{"path", file.string()}, {"read_once", true}};
  }
  return inputs;
}

/// What stands in the output folder already. True: exactly what is asked for.
bool holds_same_data(const PrepareConfig& config, const ordered_json& inputs, bool force) {
  const fs::path output = config.output;
  if (!fs::exists(output) || (fs::is_directory(output) && base::is_empty_output(output))) return false;
  check(fs::exists(output / kPrepareFile), "output: ", config.output,
        " exists and was not written by prepare; name another folder");
  if (force) return false;
  const ordered_json found = ordered_json::parse(base::read_text(output / kPrepareFile), nullptr, false);
  if (found.is_object() && found.value("format", ordered_json()) == kPrepareFormat &&
      found.value("config", ordered_json()) == base::config_to_json(config) &&
      found.value("inputs", ordered_json()) == inputs &&
      std::none_of(inputs.begin(), inputs.end(),
                   [](const ordered_json& input) { return input.contains("read_once"); })) {
    return true;
  }
  throw base::UsageError(
      concat("output: ", config.output,
             " holds data of another configuration or of inputs that have "
             "changed since (a pipe's always may have); give --force to replace it, or name another output"));
}

/// One pass over a source with a progress bar; `take` gets every part.
template <class Take>
void read_all(DocumentSource& source, const std::string& title, const Take& take) {
  source.start();
  base::Progress progress(title, source.position().total, source.position().unit);
  DocumentPart part;
  while (source.next(part)) {
    if (base::interrupted()) throw base::Error("prepare: interrupted; nothing was written");
    take(part);
    progress.update(source.position().done);
  }
  progress.update(source.position().total);
  progress.finish();
}

std::shared_ptr<const text::Tokenizer> make_tokenizer(const PrepareConfig& config, Sources& sources) {
  const TokenizerConfig& tokenizer = config.tokenizer;
  if (tokenizer.kind == TokenizerKind::kBytes) return text::byte_tokenizer();
  if (tokenizer.kind == TokenizerKind::kPath) {
    auto loaded = text::load_tokenizer(tokenizer.path);
    base::check(loaded->eos() >= 0, "tokenizer.path: ", tokenizer.path,
                ": nothing there says which token ends a document; name one as \"eos_token\" in its ",
                text::kTokenizerConfigFile);
    return loaded;
  }
  LineSample sample(tokenizer.sample_lines, config.seed);
  for (size_t i = 0; i < sources.size(); ++i) {
    read_all(*sources[i], concat("sample ", base::enum_name(config.sources[i].kind)), [&](const DocumentPart& part) {
      if (!part.validation) sample.add(part.text);
    });
  }
  base::log_info(concat("tokenizer: training ", tokenizer.vocab_size, " pieces (", tokenizer.model_type, ") on ",
                        sample.lines().size(), " lines"));
  return text::train_sentencepiece(sample.lines(), static_cast<int32_t>(tokenizer.vocab_size), tokenizer.model_type);
}

std::vector<Question> gather_questions(const PrepareConfig& config, const Sources& sources) {
  std::vector<Question> questions;
  for (const auto& source : sources) {
    auto own = source->questions();
    std::move(own.begin(), own.end(), std::back_inserter(questions));
  }
  const auto limit = static_cast<size_t>(config.max_questions);
  if (limit > 0 && limit < questions.size()) {
    std::vector<size_t> order(questions.size());
    std::iota(order.begin(), order.end(), size_t{0});
    base::RandomStream(config.seed, "questions").shuffle(order);
    order.resize(limit);
    std::sort(order.begin(), order.end());
    std::vector<Question> kept;
    kept.reserve(limit);
    for (const size_t i : order) kept.push_back(std::move(questions[i]));
    questions = std::move(kept);
  }
  for (size_t i = 0; i < questions.size(); ++i) questions[i].id = static_cast<int64_t>(i);
  return questions;
}

ordered_json describe_questions(const std::vector<Question>& questions) {
  const auto seen = std::count_if(questions.begin(), questions.end(), [](const Question& q) { return q.seen_wording; });
  return {{"count", questions.size()}, {"seen_wording", seen}, {"unseen_wording", questions.size() - seen}};
}

/// Sums over the sources that are facts; "exposures_per_epoch" is the mean over all facts that are trained.
ordered_json describe_facts(const ordered_json& sources) {
  int64_t facts = 0, sentences = 0;
  for (const ordered_json& source : sources) {
    facts += source.value("facts", int64_t{0});
    sentences += source.value("sentences", int64_t{0});
  }
  const double exposures = facts == 0 ? 0.0 : static_cast<double>(sentences) / static_cast<double>(facts);
  return {{"count", facts}, {"sentences", sentences}, {"exposures_per_epoch", exposures}};
}

void warn_of_damage(const ordered_json& report) {
  const int64_t replaced = report.value("invalid_utf8_replaced", int64_t{0});
  if (replaced == 0) return;
  base::log_warning(concat(
      report.at("path").get<std::string>(), ": ", replaced,
      " invalid UTF-8 sequences were replaced by U+FFFD; if these are many, the text is in another encoding, and "
      "iconv -f LATIN1 -t UTF-8 FILE > TEXT (or from the encoding that it is in) makes UTF-8 of it"));
}

/// Encodes one source into both splits and says what it was.
ordered_json write_source(DocumentSource& source, const PrepareSource& config, SplitWriter& train,
                          SplitWriter& validation) {
  const int64_t documents = train.documents(), tokens = train.tokens(), validation_documents = validation.documents();
  read_all(source, concat("prepare ", base::enum_name(config.kind)), [&](const DocumentPart& part) {
    (part.validation ? validation : train).write(part.text, part.begins, part.ends);
  });
  ordered_json report = {{"kind", base::enum_name(config.kind)},
                         {"path", config.path},
                         {"documents", train.documents() - documents},
                         {"tokens", train.tokens() - tokens},
                         {"validation_documents", validation.documents() - validation_documents}};
  report.update(source.report());
  warn_of_damage(report);
  return report;
}

/// The list of the people that are trained. A source of more people has those of one with fewer, so the largest has
/// all.
std::optional<ordered_json> list_people(const fs::path& folder, const PrepareConfig& config) {
  int64_t people = 0;
  for (const PrepareSource& source : config.sources) {
    const bool trained = source.kind == SourceKind::kBiographies && source.use != SourceUse::kAsk;
    if (trained) people = std::max(people, source.people);
  }
  if (people == 0) return std::nullopt;
  return write_biographies(folder, draw_biographies(config.seed, people));
}

ordered_json fill_folder(const fs::path& folder, const PrepareConfig& config, const ordered_json& inputs,
                         Sources& sources, const text::Tokenizer& tokenizer) {
  tokenizer.save(folder);
  SplitWriter train(folder, "train", tokenizer, config.documents_per_shard);
  SplitWriter validation(folder, "validation", tokenizer, config.documents_per_shard);
  ordered_json reports = ordered_json::array();
  for (size_t i = 0; i < sources.size(); ++i)
    reports.push_back(write_source(*sources[i], config.sources[i], train, validation));
  train.finish();
  validation.finish();
  check(train.documents() > 0, "prepare: the sources give no document to train on");
  if (config.validation_share > 0 && validation.documents() == 0) {
    base::log_info("prepare: too few documents for a validation split; there is none");
  }
  const std::vector<Question> questions = gather_questions(config, sources);
  if (!questions.empty()) write_questions(folder / kQuestionsFile, questions);
  ordered_json summary = {{"format", kPrepareFormat},
                          {"tokenizer",
                           {{"kind", tokenizer.kind()},
                            {"vocab_size", tokenizer.vocab_size()},
                            {"bos", tokenizer.bos()},
                            {"eos", tokenizer.eos()},
                            {"hash", text::tokenizer_hash(tokenizer)}}},
                          {"train", train.report()},
                          {"validation", validation.report()},
                          {"facts", describe_facts(reports)},
                          {"questions", describe_questions(questions)},
                          {"sources", reports},
                          {"config", base::config_to_json(config)},
                          {"inputs", inputs}};
  if (const auto people = list_people(folder, config)) summary["biographies"] = *people;
  base::write_text_atomically(folder / kPrepareFile, summary.dump(2) + "\n");
  return summary;
}

}  // namespace

PrepareResult prepare(const PrepareConfig& config, bool force) {
  config.validate();
  base::check_output_folder(config.output);  // before any work
  const ordered_json inputs = describe_inputs(config);
  if (holds_same_data(config, inputs, force)) return {true, read_prepare_file(config.output)};
  Sources sources;
  for (size_t i = 0; i < config.sources.size(); ++i) {
    sources.push_back(open_source(config.sources[i], {config.seed, i, config.validation_share}));
  }
  const auto tokenizer = make_tokenizer(config, sources);
  PrepareResult result;
  base::write_folder_atomically(
      config.output,
      [&](const fs::path& folder) { result.summary = fill_folder(folder, config, inputs, sources, *tokenizer); },
      kPrepareFile);
  return result;
}

}  // namespace memlayers::data
