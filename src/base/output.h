// Where an output goes: what a path names may be a link, a mount point, a device or a pipe, and is looked at before
// work begins.
//
// Links are followed, also to what is not there yet. A file or folder is replaced as a whole by renaming a finished
// sibling over it; what cannot be renamed over (mount points, the folder that the program runs in, a parent that may
// not be written) is filled as it stands. Character devices and pipes are written to and never replaced; block devices
// and sockets are refused.
#pragma once

#include <string>

#include "base/file.h"

namespace memlayers::base {

/// How a file can be written.
enum class OutputWay {
  kReplace,  // write a sibling, rename it
  kInPlace,  // a regular file that cannot be renamed over
  kStream    // a device, a pipe, or one of the program's own descriptors
};

struct OutputFile {
  fs::path path;  // after all links
  OutputWay way = OutputWay::kReplace;
};

struct OutputFolder {
  fs::path path;  // after all links, without a slash at the end
  bool exists = false, in_place = false;
};

/// `path` after all links of its last part, also where the last one leads to nothing. Throws IoError where links lead
/// in a circle.
fs::path follow_links(const fs::path& path);

/// Says how a file can be written, without making anything. Throws IoError where it cannot: a folder of that name, no
/// folder to put it in, no permission, a block device or a socket.
OutputFile check_output_file(const fs::path& path);

/// The same of a folder, whose missing parents would be made.
OutputFolder check_output_folder(const fs::path& path);

/// Makes a folder and its parents where they are missing, at the end of links. Throws IoError.
void make_folder(const fs::path& path);

/// Whether an entry of that name is what a file system or a writer that was killed leaves in a folder, not anybody's
/// own.
bool is_left_by_systems(const std::string& name);

/// Whether a folder holds nothing else.
bool is_empty_output(const fs::path& folder);

/// Name of a temporary file or folder of this process, beside or in what it becomes.
inline constexpr const char* kTemporarySuffix = ".tmp-";
std::string temporary_suffix();

}  // namespace memlayers::base
