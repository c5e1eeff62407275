// A data set as the trainer sees it: the images that can be used with their boxes, and a report of everything else. Reads
// every label file once, at the start; pictures are not opened here (data/loader.h does, and reports those it can't decode).
//
// An image is left out, and reported, when its label file is missing (unless asked otherwise), unreadable, or holds bad lines
// only: trained as a negative it would teach the network to overlook the objects in it. Of a file with good and bad lines the
// good ones are used and the bad ones reported. An empty label file is a negative image.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/labels.h"

namespace dk {

enum class MissingLabels { exclude, negative };

struct DatasetReport {
  int64_t listed = 0;              // images in the list
  int64_t used = 0;                // of these in the data set
  int64_t negatives = 0;           // used images without any box
  int64_t boxes = 0;               // in the used images
  int64_t missing = 0;             // images without a label file
  int64_t unusable = 0;            // images left out because their label file is unreadable or holds bad lines only
  int64_t bad_lines = 0;           // label lines that were left out
  std::vector<LabelIssue> issues;  // the first kMostReportedIssues, in list order; a missing file is one, too

  // Some short lines: the totals and, where there are any, the first `examples` issues.
  std::string summary(int examples = 5) const;
};

inline constexpr size_t kMostReportedIssues = 10000;

struct Dataset {
  std::vector<std::string> images;
  std::vector<Labels> labels;  // parallel to images
  int classes = 0;
  DatasetReport report;
};

// `threads` read label files at the same time (disks far away); the result doesn't depend on it. Throws Error(bad_input) when no
// image is left.
Dataset open_dataset(const std::vector<std::string>& list, int classes, MissingLabels missing = MissingLabels::exclude,
                     int threads = 4);

}  // namespace dk
