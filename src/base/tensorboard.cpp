#include "base/tensorboard.h"

#include <array>
#include <bit>
#include <chrono>
#include <cstring>

#include <unistd.h>

#include "base/error.h"
#include "base/output.h"

namespace memlayers::base {
namespace {

constexpr std::array<uint32_t, 256> make_crc_table() {
  std::array<uint32_t, 256> table = {};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t value = byte;
    for (int bit = 0; bit < 8; ++bit) value = value & 1 ? value >> 1 ^ 0x82F63B78u : value >> 1;
    table[byte] = value;
  }
  return table;
}
constexpr auto kCrcTable = make_crc_table();

template <class T>
std::string little_endian(T value) {
  static_assert(std::endian::native == std::endian::little);
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

std::string varint(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += char(value | 0x80);
  return bytes += char(value);
}

std::string length_delimited(char tag, std::string_view bytes) {
  return tag + varint(bytes.size()) + std::string(bytes);
}

double wall_time() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string event_of_step(int64_t step) {
  return '\x09' + little_endian(wall_time()) + '\x10' + varint(uint64_t(step));
}

uint32_t masked_crc(std::string_view bytes) {
  const uint32_t crc = crc32c(bytes);
  return (crc >> 15 | crc << 17) + 0xA282EAD8u;
}

}  // namespace

uint32_t crc32c(std::string_view bytes) {
  uint32_t crc = ~0u;
  for (unsigned char byte : bytes) crc = kCrcTable[(crc ^ byte) & 0xFF] ^ crc >> 8;
  return ~crc;
}

EventWriter::EventWriter(const std::filesystem::path& folder, int64_t first_step) {
  make_folder(folder);
  const auto micros = int64_t(wall_time() * 1e6);
  path_ = folder / concat("events.out.tfevents.", micros, ".memlayers.", getpid());
  file_.open(path_, std::ios::binary);
  append('\x09' + little_endian(wall_time()) + length_delimited('\x1a', "brain.Event:2"));
  append(event_of_step(first_step) + length_delimited('\x3a', "\x08\x01"));  // session_log { status: START }
}

void EventWriter::add_scalar(std::string_view tag, int64_t step, double value) {
  const std::string scalar = length_delimited('\x0a', tag) + '\x15' + little_endian(float(value));
  const std::string summary = length_delimited('\x0a', scalar);
  append(event_of_step(step) + length_delimited('\x2a', summary));
}

void EventWriter::append(const std::string& event) {
  const std::string length = little_endian(uint64_t(event.size()));
  file_ << length << little_endian(masked_crc(length)) << event << little_endian(masked_crc(event)) << std::flush;
  if (!file_) throw IoError(path_, "cannot write");
}

}  // namespace memlayers::base
