// The [yolo] layer on the host: activates a head's output and, in training, computes deltas, cost and the figures of the log
// line for a batch (darknet.md 4.3-4.9). The arithmetic is math/yolo_loss.h; decoding to detections is infer/detection.h.
#pragma once

#include <cstdint>
#include <vector>

#include "math/yolo_loss.h"

namespace dk {

// Figures of one head over one mini-batch. Losses are sums over the mini-batch, not yet divided by its size.
struct YoloStats {
  double total_sq = 0;  // sum of delta^2 over all entries
  double cls_sq = 0;    // the same over objectness and class entries
  double iou_sum = 0, giou_sum = 0;
  int64_t count = 0;  // positives (the log line prints 1 when there was none)
  int64_t total_bbox = 0, rewritten_bbox = 0;
  double avg_iou = 0;  // mean IoU of the positives, 0 without any
  double class_loss = 0, iou_loss = 0, total_loss = 0;
  double cost = 0;
};

// Throws bad_input if the parameters can't describe a head of `channels` channels (names what is wrong).
void validate_yolo(const YoloParams& params, int channels);

// Multipliers from `counters_per_class`: min(largest / count, max_delta), counts below 1 taken as 1.
std::vector<float> class_multipliers(const std::vector<float>& counters, float max_delta);

// io: n x mask_count*(5+classes) x h x w planar, raw values in, activated values out.
void yolo_forward_infer(const YoloParams& params, int n, int h, int w, float* io);

// Activates io, then overwrites delta (same size as io). truth: n x max_boxes x (x, y, w, h, class), relative to the image; an
// image's list ends at the first x == 0. Images run in parallel; the result does not depend on the number of threads.
YoloStats yolo_forward_train(const YoloParams& params, int n, int h, int w, int net_w, int net_h, float* io, const float* truth,
                             float* delta);

}  // namespace dk
