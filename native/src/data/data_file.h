// The .data file (darknet.md 1.1): where lists, names and results lie. Only reading; what the paths hold is read by
// image_list.h and names_file.h. Unlike upstream, blanks inside a value are kept, so that paths with blanks work.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace dk {

// Paths are as written ("" = the key is not there); resolve_path() finds them.
struct DataFile {
  std::string path;
  std::string train, valid, names, backup, difficult, labels, map;
  std::string results = "results";
  std::string eval = "voc";
  int classes = 0;                    // 0 = not given; the cfg's last detection layer decides
  int saveweights = 0;                // iterations between numbered weights; 0 = the program's own rule
  int savelast = 0;                   // iterations between "last" weights; 0 = the program's own rule
  std::vector<std::string> warnings;  // "FILE:LINE: ..." unknown or repeated keys
};

// Throws Error(bad_input) naming file and line.
DataFile read_data_file(const std::string& path);
DataFile parse_data_file(std::string_view text, const std::string& path);

// `path` as it is when it exists from the current folder or is absolute; else below base_file's folder when it exists there; else
// unchanged.
std::string resolve_path(const std::string& path, const std::string& base_file);

}  // namespace dk
