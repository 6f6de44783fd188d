#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "text/tokenizer.h"
#include "text/tokenizer_files.h"

namespace memlayers::text {
namespace {

class ByteTokenizer : public Tokenizer {
 public:
  std::vector<int32_t> encode(const std::string& text) const override {
    std::vector<int32_t> ids;
    ids.reserve(text.size());
    for (const unsigned char byte : text) ids.push_back(kFirstByte + byte);
    return ids;
  }
  std::string decode(const std::vector<int32_t>& ids) const override {
    std::string text;
    for (const int32_t id : ids) {
      if (id >= kFirstByte && id < vocab_size()) text += static_cast<char>(id - kFirstByte);
    }
    return text;
  }
  int32_t vocab_size() const override { return kFirstByte + 256; }
  std::string piece(int32_t id) const override {
    if (id < 0 || id >= vocab_size()) return {};
    if (id < kFirstByte) return id == 0 ? "<unk>" : id == bos() ? "<s>" : "</s>";
    std::array<char, 8> name;
    std::snprintf(name.data(), name.size(), "<0x%02X>", id - kFirstByte);
    return name.data();
  }
  int32_t bos() const override { return 1; }
  int32_t eos() const override { return 2; }
  std::string kind() const override { return "bytes"; }
  void save(const std::filesystem::path& folder) const override {
    const nlohmann::ordered_json config = {{"kind", "bytes"},
                                           {"tokenizer_class", "MemlayersByteTokenizer"},
                                           {"vocab_size", vocab_size()},
                                           {"unk_token_id", 0},
                                           {"bos_token_id", bos()},
                                           {"eos_token_id", eos()},
                                           {"byte_offset", kFirstByte}};
    base::write_text_atomically(folder / kTokenizerConfigFile, config.dump(2) + "\n");
  }

 private:
  static constexpr int32_t kFirstByte = 3;
};

}  // namespace

std::shared_ptr<const Tokenizer> byte_tokenizer() { return std::make_shared<ByteTokenizer>(); }

}  // namespace memlayers::text
