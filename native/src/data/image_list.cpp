// Reading image lists (see image_list.h).
#include "data/image_list.h"

#include "core/files.h"
#include "core/status.h"
#include "data/data_file.h"
#include "data/text_file.h"

namespace dk {
namespace {

constexpr size_t kMostLines = 5000000;
constexpr size_t kLongestPath = 4095;  // Linux' PATH_MAX less the end

}  // namespace

std::vector<std::string> parse_image_list(std::string_view text, const std::string& path) {
  const std::vector<std::string_view> lines = split_lines(text);
  if (lines.size() > kMostLines) bad_input("%s: %zu lines; at most %zu", shown(path).c_str(), lines.size(), kMostLines);
  std::vector<std::string> entries;
  for (size_t i = 0; i < lines.size(); ++i) {
    if (trim(lines[i]).empty()) continue;
    if (lines[i].size() > kLongestPath) {
      bad_input("%s:%zu: a path of %zu bytes; at most %zu", shown(path).c_str(), i + 1, lines[i].size(), kLongestPath);
    }
    entries.emplace_back(lines[i]);
  }
  if (entries.empty()) bad_input("%s: the list names no image; write one image path a line", shown(path).c_str());
  return entries;
}

std::vector<std::string> read_image_list(const std::string& path) {
  std::vector<std::string> entries = parse_image_list(read_text_file(path), path);
  for (std::string& entry : entries) {
    // A name may really begin or end with a blank; only when there is no such file are the blanks slips of an editor.
    std::string found = resolve_path(entry, path);
    const std::string tight(trim(entry));
    if (tight.size() != entry.size() && !file_exists(found)) found = resolve_path(tight, path);
    entry = std::move(found);
  }
  return entries;
}

}  // namespace dk
