#include "data/sources/file_kind.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/error.h"
#include "base/utf8.h"

namespace memlayers::data {
namespace {

using namespace std::string_view_literals;

/// What a file is and how it becomes text: a command that reads standard input, or one that takes the file's name.
struct Kind {
  std::string name;
  std::string filter;   // "xz -dc"
  std::string command;  // "unzip"
};

struct Signature {
  size_t offset;
  std::string_view bytes;
  const char *name, *filter, *command;
};

constexpr Signature kSignatures[] = {
    {0, "\x1F\x8B"sv, "packed with gzip", "gzip -dc", ""},
    {0, "\x28\xB5\x2F\xFD"sv, "packed with zstd", "zstd -dc", ""},
    {0,
     "\xFD"
     "7zXZ\0"sv,
     "packed with xz", "xz -dc", ""},
    {0, "BZh"sv, "packed with bzip2", "bzip2 -dc", ""},
    {0, "\x5D\0\0"sv, "packed with lzma", "xz -dc --format=lzma", ""},
    {0, "LZIP\1"sv, "packed with lzip", "lzip -dc", ""},
    {0, "\x04\x22\x4D\x18"sv, "packed with lz4", "lz4 -dc", ""},
    {0, "\x02\x21\x4C\x18"sv, "packed with lz4", "lz4 -dc", ""},
    {0, "\x89LZO\0"sv, "packed with lzop", "lzop -dc", ""},
    {0, "\xFF\x06\0\0sNaPpY"sv, "packed with snappy", "", ""},
    {0, "\x1F\x9D"sv, "packed with compress", "gzip -dc", ""},
    {0, "PK\3\4"sv, "a zip archive (or a document that is one)", "", "unzip"},
    {0, "PK\5\6"sv, "an empty zip archive", "", ""},
    {0, "PK\7\x8"sv, "a zip archive", "", "unzip"},
    {0, "7z\xBC\xAF\x27\x1C"sv, "a 7z archive", "", "7z x"},
    {0, "Rar!\x1A\7"sv, "a rar archive", "", "unrar x"},
    {257, "ustar"sv, "a tar archive", "", "tar -xf"},
    {0, "070701"sv, "a cpio archive", "cpio -i", ""},
    {0, "070707"sv, "a cpio archive", "cpio -i", ""},
    {0, "!<arch>\n"sv, "an ar archive", "", "ar x"},
    {0, "MSCF\0\0\0\0"sv, "a cabinet archive", "", "cabextract"},
    {0, "PAR1"sv, "a Parquet file", "", ""},
    {0, "ARROW1"sv, "an Arrow file", "", ""},
    {0, "ORC"sv, "an ORC file", "", ""},
    {0, "Obj\1"sv, "an Avro file", "", ""},
    {0, "\x89HDF\r\n\x1A\n"sv, "an HDF5 file", "", ""},
    {0, "\x93NUMPY"sv, "a NumPy array", "", ""},
    {0, "SQLite format 3\0"sv, "a SQLite database", "", ""},
    {0, "\x80\2"sv, "a pickle of Python", "", ""},
    {0, "\x80\3"sv, "a pickle of Python", "", ""},
    {0, "\x80\4\x95"sv, "a pickle of Python", "", ""},
    {0, "\x80\5\x95"sv, "a pickle of Python", "", ""},
    {4, "\0\0\0\0{"sv, "a safetensors file", "", ""},
    {0, "GGUF"sv, "a GGUF model", "", ""},
    {0, "%PDF-"sv, "a PDF document", "", "pdftotext"},
    {0, "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"sv, "an old Office document", "", ""},
    {0, "{\\rtf"sv, "an RTF document", "", ""},
    {0, "\x89PNG\r\n\x1A\n"sv, "a PNG image", "", ""},
    {0, "\xFF\xD8\xFF"sv, "a JPEG image", "", ""},
    {0, "GIF87a"sv, "a GIF image", "", ""},
    {0, "GIF89a"sv, "a GIF image", "", ""},
    {0, "II*\0"sv, "a TIFF image", "", ""},
    {0, "MM\0*"sv, "a TIFF image", "", ""},
    {8, "WEBPVP8"sv, "a WebP image", "", ""},
    {4, "ftyp"sv, "a video or an image (ISO media)", "", ""},
    {0, "\x1A\x45\xDF\xA3"sv, "a Matroska video", "", ""},
    {0, "OggS\0"sv, "an Ogg recording", "", ""},
    {0, "fLaC\0"sv, "a FLAC recording", "", ""},
    {0, "ID3"sv, "an MP3 recording", "", ""},
    {8, "WAVEfmt "sv, "a WAV recording", "", ""},
    {0,
     "\x7F"
     "ELF"sv,
     "a program (ELF)", "", ""},
    {0, "\0asm"sv, "a WebAssembly module", "", ""},
    {0, "\xCA\xFE\xBA\xBE"sv, "a Java class or a Mach-O program", "", ""},
    {0, "\xFF\xFE\0\0"sv, "UTF-32 text", "iconv -f UTF-32 -t UTF-8", ""},
    {0, "\0\0\xFE\xFF"sv, "UTF-32 text", "iconv -f UTF-32 -t UTF-8", ""},
    {0, "\xFF\xFE"sv, "UTF-16 text", "iconv -f UTF-16 -t UTF-8", ""},
    {0, "\xFE\xFF"sv, "UTF-16 text", "iconv -f UTF-16 -t UTF-8", ""},
    {0, "version https://git-lfs.github.com/spec/"sv, "a Git LFS pointer, not the data", "", "git lfs pull --include"},
    {0, "/annex/objects/"sv, "a git-annex pointer, not the data", "", "git annex get"},
};

/// What plain words may begin with too, is told from the rest of the file as well.
bool begins_a_text(const Signature& signature, std::string_view head) {
  const std::string_view bytes = signature.bytes;
  if (bytes == "BZh") {
    const std::string_view block = head.substr(std::min<size_t>(4, head.size()), 6);
    return block != "1AY&SY" && block != "\x17\x72\x45\x38\x50\x90";
  }
  const bool in_words = bytes == "ORC" || bytes == "ID3" || bytes == "PAR1" || bytes == "GGUF" || bytes == "ftyp" ||
                        bytes == "070701" || bytes == "070707" || bytes == "ARROW1" || bytes == "WAVEfmt ";
  return in_words && head.find('\0') == std::string_view::npos;
}

std::optional<Kind> kind_by_signature(std::string_view head) {
  for (const Signature& signature : kSignatures) {
    if (head.size() < signature.offset || !head.substr(signature.offset).starts_with(signature.bytes)) continue;
    if (!begins_a_text(signature, head)) return Kind{signature.name, signature.filter, signature.command};
  }
  return std::nullopt;
}

/// Archives from before "ustar": a block of 512 bytes whose sum stands in it, in octal digits.
bool is_old_tar(std::string_view head) {
  constexpr size_t kBlock = 512, kSum = 148, kDigits = 8;
  if (head.size() < kBlock || head.front() == '\0') return false;
  uint64_t sum = 0, written = 0;
  for (size_t i = 0; i < kBlock; ++i) {
    const bool of_sum = i >= kSum && i < kSum + kDigits;
    sum += of_sum ? static_cast<unsigned char>(' ') : static_cast<unsigned char>(head[i]);
    if (of_sum && head[i] >= '0' && head[i] <= '7') written = written * 8 + static_cast<uint64_t>(head[i] - '0');
  }
  return sum == written;
}

/// How many of the head's bytes are what text has few of.
struct Census {
  std::array<size_t, 4> zeros{};  // by place within four bytes
  size_t controls = 0;            // others below space that are no white space, backspace or escape
  size_t invalid = 0;             // sequences that are not UTF-8

  explicit Census(std::string_view head) {
    for (size_t i = 0; i < head.size(); ++i) {
      const auto byte = static_cast<unsigned char>(head[i]);
      if (byte == 0) ++zeros[i % 4];
      controls += byte > 0 && byte < 0x20 && !(byte >= 8 && byte <= 13) && byte != 0x1B;
    }
    std::string copy(head);
    invalid = base::repair_utf8(copy);
  }
  size_t all_zeros() const { return zeros[0] + zeros[1] + zeros[2] + zeros[3]; }
};

/// Text of wide characters without a mark: space, line ends and Latin letters have their zeros at the same places.
std::optional<Kind> wide_text(const Census& census) {
  const auto& z = census.zeros;
  const size_t zeros = census.all_zeros();
  if (zeros < 2) return std::nullopt;
  const size_t even = z[0] + z[2], odd = z[1] + z[3];
  const auto kind = [](const std::string& encoding) {
    return Kind{encoding + " text", "iconv -f " + encoding + " -t UTF-8", ""};
  };
  const auto few = [&](size_t count) { return count * 20 <= zeros; };
  if (few(z[0]) && z[1] > 0 && z[2] * 10 >= z[3] * 9 && z[3] * 2 > z[2]) return kind("UTF-32LE");
  if (few(z[3]) && z[2] > 0 && z[1] * 10 >= z[0] * 9 && z[0] * 2 > z[1]) return kind("UTF-32BE");
  if (few(even)) return kind("UTF-16LE");
  if (few(odd)) return kind("UTF-16BE");
  return std::nullopt;
}

std::optional<Kind> kind_by_census(std::string_view head) {
  const Census census(head);
  const size_t zeros = census.all_zeros();
  if (zeros == head.size()) return Kind{"all zeros: what was in it is lost, or was never written", "", ""};
  const bool many_zeros = zeros * 10 >= head.size() || head.find("\0\0\0\0"sv) != std::string_view::npos;
  const bool many_controls = census.controls >= 8 && census.controls * 10 >= head.size();
  const bool many_of_all = census.invalid * 20 >= head.size() && (zeros + census.controls) * 50 >= head.size();
  if (!many_zeros && !many_controls && !many_of_all) return std::nullopt;
  if (const auto kind = wide_text(census)) return kind;
  return Kind{"binary data", "", ""};
}

std::optional<Kind> kind_of(std::string_view head) {
  if (head.empty()) return std::nullopt;
  if (const auto kind = kind_by_signature(head)) return kind;
  if (is_old_tar(head)) return Kind{"a tar archive", "", "tar -xf"};
  return kind_by_census(head);
}

std::string advice(const Kind& kind, const std::string& file, const std::string& packing) {
  if (kind.command == "tar -xf") return "unpack it first: tar -xf " + file;
  if (!kind.command.empty() && packing.empty()) return "first: " + kind.command + " " + file;
  const std::string unpacked = packing.empty() ? "" : packing + " -dc " + file;
  if (!kind.filter.empty()) {
    return "first: " + (packing.empty() ? kind.filter + " " + file : unpacked + " | " + kind.filter) + " > TEXT";
  }
  if (!kind.command.empty()) return "first: " + unpacked + " > FILE && " + kind.command + " FILE";
  return "make UTF-8 text or JSON lines of it";
}

}  // namespace

void refuse_what_is_not_text(std::string_view head, const std::filesystem::path& path, const std::string& packing) {
  const auto kind = kind_of(head);
  if (!kind) return;
  throw base::IoError(path, base::concat("is not text but ", kind->name, packing.empty() ? "" : " inside ", packing,
                                         "; ", advice(*kind, path.string(), packing)));
}

}  // namespace memlayers::data
