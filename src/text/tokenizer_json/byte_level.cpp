#include "text/tokenizer_json/byte_level.h"

#include <array>

#include "text/tokenizer_json/characters.h"

namespace memlayers::text {
namespace {

constexpr int32_t kFirstStandIn = 0x100;

struct Alphabet {
  std::array<std::string, 256> of_byte;
  std::array<int, kFirstStandIn + 68> of_code;  // -1: none

  Alphabet() {
    of_code.fill(-1);
    int32_t next = kFirstStandIn;
    for (int byte = 0; byte < 256; ++byte) {
      const bool printable = (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
      const int32_t code = printable ? byte : next++;
      append_character(of_byte[byte], code);
      of_code[code] = byte;
    }
  }
};

const Alphabet& alphabet() {
  static const Alphabet kAlphabet;
  return kAlphabet;
}

}  // namespace

std::string bytes_as_characters(std::string_view bytes) {
  std::string result;
  result.reserve(bytes.size() * 2);
  for (const char byte : bytes) result += alphabet().of_byte[static_cast<unsigned char>(byte)];
  return result;
}

void append_bytes_of(std::string& bytes, std::string_view characters) {
  const size_t before = bytes.size();
  for (std::string_view rest = characters; !rest.empty();) {
    const Character character = first_character(rest);
    const int byte =
        static_cast<size_t>(character.code) < alphabet().of_code.size() ? alphabet().of_code[character.code] : -1;
    if (byte < 0) {
      bytes.resize(before);
      bytes += characters;
      return;
    }
    bytes += static_cast<char>(byte);
    rest.remove_prefix(character.bytes);
  }
}

}  // namespace memlayers::text
