// Text files of the user (lists, labels, names, .data): reading whole with a byte limit, the marks and encodings that
// editors leave behind, splitting into lines. Paths are raw bytes. Reading bytes as such is core/files.h.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace dk {

inline constexpr int64_t kMaxTextBytes = int64_t{256} << 20;

// The text of `path` without a UTF-8 byte order mark. Throws Error(bad_input) naming the file: missing, not a regular file, over
// max_bytes, UTF-16/32, or holding zero bytes.
std::string read_text_file(const std::string& path, int64_t max_bytes = kMaxTextBytes);

// The same judgement on bytes already in memory; `name` is for the message.
std::string checked_text(std::string bytes, const std::string& name);

// Lines ended by LF or CR LF, without their ends. A last line without an end counts; nothing follows a final end.
std::vector<std::string_view> split_lines(std::string_view text);

// Without blanks, tabs and CR at both ends.
std::string_view trim(std::string_view text);

// For messages: control characters and bytes that are not UTF-8 become \xHH, so that one message stays one readable line.
std::string shown(std::string_view raw, size_t longest = 4096);

}  // namespace dk
