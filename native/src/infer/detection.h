// From the activated output of [yolo] heads to detections: decoding, undoing a letterbox, suppression of duplicates
// (darknet.md 6.2, 6.3). All boxes are relative to the image, as centre and size, and are not clipped.
#pragma once

#include <cstddef>
#include <vector>

#include "math/suppression.h"
#include "math/yolo_loss.h"

namespace dk {

// The candidates of one image, of all heads, as arrays side by side: probs[i * classes + c] is objectness times class
// probability, or 0 where that is not above the threshold or was suppressed. The order is upstream's; the figures of a mAP
// run depend on it.
struct Detections {
  explicit Detections(int class_count = 0) : classes(class_count) {}

  int classes;
  std::vector<Box> boxes;
  std::vector<float> objectness;
  std::vector<float> probs;

  size_t size() const { return boxes.size(); }
  float* row(size_t i) { return probs.data() + i * static_cast<size_t>(classes); }
  const float* row(size_t i) const { return probs.data() + i * static_cast<size_t>(classes); }
  void clear() {
    boxes.clear();
    objectness.clear();
    probs.clear();
  }
};

// One object as users see it.
struct Detection {
  Box box;
  float objectness;
  int class_id;
  float confidence;
};

// Appends the slots of one head whose objectness is above thresh: cells row by row, the slots of a cell in order.
// activated: one image, planar, as yolo_forward_infer leaves it. out->classes must be the head's.
void decode_yolo(const YoloParams& params, int h, int w, int net_w, int net_h, const float* activated, float thresh,
                 Detections* out);

// Where the picture of image_w x image_h pixels lies in a letterboxed network input.
BoxFrame letterbox_frame(int image_w, int image_h, int net_w, int net_h);

// Boxes relative to a letterboxed network input -> relative to the image of image_w x image_h pixels inside it.
void correct_boxes_letterbox(int image_w, int image_h, int net_w, int net_h, Detections* detections);

// Suppresses, class by class, each candidate whose likeness with a better one is above the threshold: IoU (default_nms), DIoU
// with exponent 0.6 (greedy) or with exponent beta (diou). Only probabilities become 0, no detection is removed. Afterwards
// the array is ordered as upstream leaves it: by the probability (before suppression) of the last class, equal ones by the
// class before it and so on, then as they were; detections without objectness go to the end untouched.
void nms(NmsKind kind, float beta, float threshold, Detections* detections);

// Every class of every detection with a probability above thresh, in array order.
std::vector<Detection> list_detections(const Detections& detections, float thresh);

}  // namespace dk
