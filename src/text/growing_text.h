// A text that grows while a model writes it, handed on in whole characters.
#pragma once

#include <cstddef>
#include <string_view>

namespace memlayers::text {

class GrowingText {
 public:
  /// What of `text`, all that was decoded so far, is new and will stay as it is. A character whose bytes are not all
  /// there yet waits: as bytes cut off, or as up to three U+FFFD, which is how decoders show them.
  std::string_view grown(std::string_view text);
  /// What is left when nothing more comes.
  std::string_view rest(std::string_view text);

 private:
  std::string_view from_shown(std::string_view text, size_t end);
  size_t shown_ = 0;
};

}  // namespace memlayers::text
