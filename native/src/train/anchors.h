// Anchors from the sizes of a data set's boxes (`detector calc_anchors`, darknet.md 8.5): k-means with the distance 1 - IoU of
// rectangles about the origin. Reading the labels and writing the files is the caller's part.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace dk {

struct BoxSize {
  float w, h;  // pixels of the network input
};

struct AnchorResult {
  std::vector<BoxSize> anchors;   // by growing area
  double avg_iou = 0;             // mean over the boxes of the IoU with their best anchor, 0 to 1
  int64_t used = 0, skipped = 0;  // boxes; skipped are those without a finite, positive size
};

// Runs k-means `restarts` times from different, spread starts and keeps the run with the best avg_iou (upstream runs once from
// random boxes, so its result varies and is often worse). Equal input and seed give equal anchors, whatever the number of
// threads. Throws bad_input if there are fewer usable boxes than clusters.
AnchorResult calc_anchors(const std::vector<BoxSize>& boxes, int clusters, uint64_t seed, int restarts = 10);

// Mean over the boxes of the IoU with the best of the given anchors; boxes without a size are left out.
double average_anchor_iou(const std::vector<BoxSize>& boxes, const std::vector<BoxSize>& anchors);

// Boxes per class, for `counters_per_class`. Ids outside [0, classes) are left out.
std::vector<int64_t> count_per_class(const std::vector<int>& class_ids, int classes);

// "w,h, w,h, ..." as upstream writes to anchors.txt: whole numbers, or 4 decimals for inputs up to 32 pixels wide.
std::string format_anchors(const std::vector<BoxSize>& anchors, int net_w);

// "counters_per_class = a, b, ..."
std::string format_counters_per_class(const std::vector<int64_t>& counters);

}  // namespace dk
