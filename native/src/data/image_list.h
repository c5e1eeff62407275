// Image lists (train.txt, valid.txt; darknet.md 1.3): one path a line, bytes as they are.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace dk {

// The paths in file order; empty lines are skipped, duplicates stay. A path that isn't found from the current folder is taken
// relative to the list's folder when it exists there. Throws Error(bad_input): no path in it, a path over 4,095 bytes, over
// 5,000,000 lines.
std::vector<std::string> read_image_list(const std::string& path);

// The same without looking at the disk: the paths as written, blanks at the ends kept.
std::vector<std::string> parse_image_list(std::string_view text, const std::string& path);

}  // namespace dk
