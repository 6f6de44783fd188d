// Any bytes as a safetensors file: refused with an IoError, or all tensors lie inside the file and fill it.
//
// An input that begins with R is the file itself after that byte; any other is a header, a line's end and the buffer,
// for which the right header length is made up, as few mutations would hit it.

#include <cstdlib>
#include <cstring>
#include <iostream>

#include "base/error.h"
#include "base/safetensors/safetensors.h"

namespace {

void require(bool condition, const char* what) {
  if (condition) return;
  std::cerr << "violated: " << what << "\n";
  std::abort();
}

std::string file_from(const std::string& input) {
  if (!input.empty() && input[0] == 'R') return input.substr(1);
  const size_t end = std::min(input.find('\n'), input.size());
  const uint64_t length = end;
  std::string file(reinterpret_cast<const char*>(&length), sizeof length);
  file += input.substr(0, end);
  if (end < input.size()) file += input.substr(end + 1);
  return file;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace memlayers::base;
  const std::string text = file_from(std::string(reinterpret_cast<const char*>(data), size));
  // A block of exactly this size, so that the sanitizer sees the first byte beyond it.
  const std::vector<char> bytes(text.begin(), text.end());
  try {
    const SafetensorsFile file(std::as_bytes(std::span(bytes)), "input");
    uint64_t total = 0;
    unsigned sum = 0;
    for (const auto& [name, view] : file.tensors()) {
      uint64_t expected = dtype_bytes(view.dtype);
      for (const int64_t dimension : view.shape) {
        require(dimension >= 0, "no dimension is negative");
        expected *= static_cast<uint64_t>(dimension);
      }
      require(view.bytes.size() == expected, "a tensor has the bytes of its dtype and shape");
      for (const std::byte byte : view.bytes) sum += std::to_integer<unsigned>(byte);
      total += expected;
    }
    uint64_t header = 0;
    std::memcpy(&header, bytes.data(), sizeof header);
    require(total + header + sizeof header == bytes.size(), "tensors fill the file");
    volatile unsigned keep = sum;
    (void)keep;
  } catch (const IoError& error) {
    require(std::string(error.what()).find('\n') == std::string::npos, "a message is one line");
  }
  return 0;
}
