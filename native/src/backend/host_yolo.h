// The [yolo] head in memory of the host: activates a head's output and, in training, computes deltas and figures of a batch
// (darknet.md 4.3-4.9). The arithmetic is math/yolo_loss.h; decoding to detections is infer/detection.h.
#pragma once

#include "math/yolo_loss.h"

namespace dk {

// io: n x mask_count*(5+classes) x h x w planar, raw values in, activated values out.
void yolo_forward_infer(const YoloParams& params, int n, int h, int w, float* io);

// Activates io, then overwrites delta (same size as io). truth: n x max_boxes x (x, y, w, h, class), relative to the image; an
// image's list ends at the first x == 0. Images run in parallel; the result does not depend on the number of threads.
YoloFigures yolo_forward_train(const YoloParams& params, int n, int h, int w, int net_w, int net_h, float* io, const float* truth,
                               float* delta);

}  // namespace dk
