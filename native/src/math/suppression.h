// From boxes on a network's input to boxes on the picture; which of two detections of one class is too like the other, and in
// what order they are asked (darknet.md 6.3): one text for host and device. Driving it is infer/detection.h.
#pragma once

#include <cmath>
#include <cstdint>

#include "math/box.h"
#include "math/yolo_loss.h"

namespace dk {

// Where on a network's input the picture lies, in shares of it.
struct BoxFrame {
  float left = 0, top = 0, share_w = 1, share_h = 1;
};

DK_HD Box in_frame(const BoxFrame& f, const Box& b) {
  return Box{(b.x - f.left) / f.share_w, (b.y - f.top) / f.share_h, b.w / f.share_w, b.h / f.share_h};
}

// IoU (default_nms), DIoU with exponent 0.6 (greedy) or with exponent beta (diou) is above the threshold. Every likeness is the
// IoU less something, so most pairs need no more than the IoU.
DK_HD bool too_alike(NmsKind kind, float beta, float threshold, const Box& a, const Box& b) {
  const float iou = box_iou(a, b);
  if (!(iou > threshold)) return false;
  if (kind == NmsKind::default_nms) return true;
  return iou - powf(centre_distance_ratio(a, b), kind == NmsKind::greedy ? 0.6f : beta) > threshold;
}

// Whether candidate a comes before b when class c is looked at. Upstream sorts the same array stably by one class after the
// other, so equal ones are in the order of the class before, and so on, at last in that of the array. probs: as decoded, a row of
// `classes` for each candidate.
DK_HD bool ranks_before(const float* probs, int classes, int c, int64_t a, int64_t b) {
  for (; c >= 0; --c) {
    const float left = probs[a * classes + c], right = probs[b * classes + c];
    if (left != right) return left > right;
  }
  return a < b;
}

}  // namespace dk
