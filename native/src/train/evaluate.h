// mAP of a network over a list of labelled images: detection in batches (infer/file_detection.h), and MapAccumulator.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "infer/detector.h"
#include "train/mean_average_precision.h"

namespace dk {

struct EvaluateOptions {
  float iou_thresh = 0.5f, conf_thresh = 0.25f;
  int points = 0;
  bool letter_box = false;
  std::vector<Labels> difficult;  // parallel to the images, or empty
  // Called after each batch with the number of images done; return false to stop early (Error(stopped)).
  std::function<bool(size_t)> progress;
  // Called for an image that can't be decoded: it counts as one where nothing was found.
  std::function<void(const std::string&)> unreadable;
};

// Upstream evaluates with candidates above this score, suppressed at this overlap (darknet.md 7.1).
constexpr float kEvaluateThreshold = 0.005f;
constexpr float kEvaluateNms = 0.45f;

MapResult evaluate(Detector& detector, const Dataset& dataset, const EvaluateOptions& options);

}  // namespace dk
