// Reading .names files (see names_file.h).
#include "data/names_file.h"

#include "core/status.h"
#include "data/text_file.h"

namespace dk {
namespace {

constexpr size_t kMostNames = 10000;
constexpr size_t kLongestName = 1000;

}  // namespace

std::vector<std::string> parse_names(std::string_view text, const std::string& path) {
  std::vector<std::string_view> lines = split_lines(text);
  while (!lines.empty() && trim(lines.back()).empty()) lines.pop_back();
  if (lines.empty()) bad_input("%s: no names; write one class name a line", shown(path).c_str());
  if (lines.size() > kMostNames) bad_input("%s: %zu names; at most %zu", shown(path).c_str(), lines.size(), kMostNames);
  std::vector<std::string> names;
  for (const std::string_view line : lines) {
    const std::string_view name = trim(line);
    const size_t number = names.size() + 1;
    if (name.empty()) bad_input("%s:%zu: class %zu has no name (empty line)", shown(path).c_str(), number, number - 1);
    if (name.size() > kLongestName)
      bad_input("%s:%zu: a name of %zu bytes; at most %zu", shown(path).c_str(), number, name.size(), kLongestName);
    names.emplace_back(name);
  }
  return names;
}

std::vector<std::string> read_names(const std::string& path) { return parse_names(read_text_file(path, 16 << 20), path); }

}  // namespace dk
