// Label files (darknet.md 1.4): where the labels of an image lie, and the strict reading of `class cx cy w h` lines. What
// becomes of an image with bad labels is decided in dataset.h.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace dk {

// A box relative to the image: centre and size, 0..1. It may stick out of the image (training clips it).
struct LabelBox {
  int class_id = 0;
  float x = 0, y = 0, w = 0, h = 0;
};

struct LabelIssue {
  std::string file;
  int line = 0;  // from 1; 0 = the whole file
  std::string reason;
};

struct Labels {
  std::vector<LabelBox> boxes;     // the good lines
  std::vector<LabelIssue> issues;  // the first kMostIssuesPerFile bad lines
  int bad_lines = 0;               // all of them; an unreadable file counts as one
  bool missing = false;            // there is no label file

  // A file without boxes and without bad lines says: nothing to find here.
  bool is_negative() const { return !missing && boxes.empty() && bad_lines == 0; }
};

inline constexpr int kMostIssuesPerFile = 20;
inline constexpr int64_t kMostLabelBytes = 16 << 20;
inline constexpr size_t kMostLabelLines = 100000;

// darknet.md 1.4.1; an extension that upstream doesn't know is replaced, too. Never the image's own path.
std::string label_path_for(const std::string& image_path);

// Never throws for what a file may hold or lack: that is in the result.
Labels read_labels(const std::string& path, int classes);
Labels parse_labels(std::string_view text, const std::string& path, int classes);

}  // namespace dk
