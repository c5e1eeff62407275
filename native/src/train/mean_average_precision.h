// Mean average precision as `darknet detector map` computes it (darknet.md 7), from detections and truths given image by
// image. Reading images and running the network is the caller's part. All figures are 0, never NaN, where nothing was
// detected or nothing was there.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "infer/detection.h"

namespace dk {

// A labelled object; the box is relative to the image.
struct Truth {
  int class_id;
  Box box;
};

struct ClassMap {
  double ap = 0;
  int64_t truths = 0;
  int64_t detections = 0;  // candidates of any probability
  int64_t tp = 0, fp = 0;  // above the confidence threshold
  double avg_iou = 0;      // of those: IoU of the true positives over all of them
};

struct MapResult {
  int points = 0;
  float iou_thresh = 0.5f, conf_thresh = 0.25f;
  double map = 0;  // mean over all classes, also those without truths
  std::vector<ClassMap> classes;
  int64_t detections_count = 0, unique_truth_count = 0;
  int64_t tp = 0, fp = 0, fn = 0;
  double precision = 0, recall = 0, f1 = 0, avg_iou = 0;
};

class MapAccumulator {
 public:
  explicit MapAccumulator(int classes, float iou_thresh = 0.5f, float conf_thresh = 0.25f);

  // Adds one image: detections decoded at a low threshold (upstream: 0.005) and suppressed, and its truths. Of the candidates
  // that match no truth, those on a difficult box of their class are left out. Throws bad_input, with `where` in front, on a
  // class outside the network's; then nothing was added.
  void add_image(const Detections& detections, const std::vector<Truth>& truths, const std::vector<Truth>& difficult = {},
                 const std::string& where = "");

  // points: 0 = area under the envelope of precision over recall, else the mean of that envelope at this many equally spaced
  // recalls (upstream uses 11 and 101).
  MapResult result(int points = 0) const;

 private:
  // One detection taken for one class. truth is a number within the class, or -1.
  struct Candidate {
    float prob;
    int64_t truth;
  };
  struct PerClass {
    std::vector<Candidate> candidates;  // in image order, then array order
    int64_t truths = 0;
    int64_t tp = 0, fp = 0;
    double iou_sum = 0;
  };

  void validate(const std::vector<Truth>& truths, const std::string& where) const;
  double average_precision(const PerClass& of, int points) const;

  float iou_thresh_, conf_thresh_;
  std::vector<PerClass> classes_;
};

// The lines of `detector map` from "detections_count" to "mean average precision", as upstream prints them to stdout. Classes
// beyond the names are named by their number.
std::string format_map_report(const MapResult& result, const std::vector<std::string>& names);

// The hint on -points that upstream prints last.
std::string format_map_points_hint();

}  // namespace dk
