// What a [yolo] head tells of a mini-batch, and the checks of its parameters. The deltas are the back end's business
// (Backend::yolo_loss); decoding to detections is infer/detection.h.
#pragma once

#include <cstdint>
#include <vector>

#include "math/yolo_loss.h"

namespace dk {

// Figures of one head over one mini-batch. Losses are sums over the mini-batch, not yet divided by its size. The log line prints
// 1 positive where there was none.
struct YoloStats : YoloFigures {
  double avg_iou = 0;  // mean IoU of the positives, 0 without any
  double class_loss = 0, iou_loss = 0, total_loss = 0;
  double cost = 0;
};

YoloStats yolo_stats(const YoloParams& params, const YoloFigures& figures);

// Throws bad_input if the parameters can't describe a head of `channels` channels (names what is wrong).
void validate_yolo(const YoloParams& params, int channels);

// Multipliers from `counters_per_class`: min(largest / count, max_delta), counts below 1 taken as 1.
std::vector<float> class_multipliers(const std::vector<float>& counters, float max_delta);

}  // namespace dk
