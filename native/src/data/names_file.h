// The .names file (darknet.md 1.2): one class name a line, the line's number from 0 is the class id.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace dk {

// Names without blanks at their ends; empty lines at the end of the file are no names. Throws Error(bad_input): an empty line
// between names (it would shift no id, but the class has no name), no name at all, over 10,000 names, a name over 1,000 bytes.
std::vector<std::string> read_names(const std::string& path);
std::vector<std::string> parse_names(std::string_view text, const std::string& path);

}  // namespace dk
