// The [yolo] head as arithmetic on plain structs (darknet.md 3.7, 4.1-4.7), one text for host and device: activation,
// the box a slot predicts, and the three passes that fill the deltas of one image. Driving the passes over a batch, and the
// cost, is layers/yolo_head.h; nothing here allocates or reads files.
//
// Legend: a head has mask_count slots per cell, each slot 5 + classes entries (x, y, w, h, objectness, classes...).
// "delta" is minus the gradient by Darknet's own rules; it is handed to the linear convolution before the head as it is,
// that is, without the slope of the head's activation.
#pragma once

#include <cfloat>
#include <cstdint>

#include "math/activation.h"
#include "math/box.h"

namespace dk {

enum class NmsKind : int { default_nms, greedy, diou };

// Keys of [yolo]; arrays belong to the layer.
struct YoloParams {
  int classes = 20;
  const float* anchors = nullptr;  // 2 * num: width and height in pixels of the network input
  int num = 1;
  const int* mask = nullptr;  // mask_count indices into anchors, one per slot
  int mask_count = 1;
  int max_boxes = 200;
  float ignore_thresh = 0.5f;
  float truth_thresh = 1.0f;
  float iou_thresh = 1.0f;
  IouLoss iou_thresh_kind = IouLoss::iou;
  IouLoss iou_loss = IouLoss::mse;
  float scale_x_y = 1.0f;
  bool new_coords = false;
  float iou_normalizer = 0.75f;
  float obj_normalizer = 1.0f;
  float cls_normalizer = 1.0f;
  float delta_normalizer = 1.0f;  // applied by the caller when the deltas are handed on
  float max_delta = FLT_MAX;
  float label_smooth_eps = 0.0f;
  bool objectness_smooth = false;
  bool focal_loss = false;
  const float* class_multipliers = nullptr;  // one per class, or null
  NmsKind nms_kind = NmsKind::default_nms;
  float beta_nms = 0.6f;

  DK_HD int entries() const { return 5 + classes; }
};

// One image of a head's output and deltas. The strides let the same passes run on planar and on channel-last memory.
struct YoloView {
  float* out = nullptr;
  float* delta = nullptr;
  int h = 0, w = 0;          // cells
  int net_w = 0, net_h = 0;  // pixels of the network input now
  int64_t slot_stride = 0, entry_stride = 0, cell_stride = 0;

  DK_HD int64_t at(int slot, int entry, int cell) const { return slot * slot_stride + entry * entry_stride + cell * cell_stride; }
};

DK_HD YoloView yolo_planar_view(const YoloParams& p, int h, int w, int net_w, int net_h, float* out, float* delta) {
  const int64_t area = static_cast<int64_t>(h) * w;
  return YoloView{out, delta, h, w, net_w, net_h, area * p.entries(), area, 1};
}

struct YoloTruth {
  Box box;  // relative to the image
  int class_id;
};

// What the passes of one image count. total_bbox and rewritten_bbox are printed as running totals of the process.
struct YoloTally {
  double iou_sum = 0, giou_sum = 0;  // over the positives of pass 2
  int64_t count = 0;
  int64_t total_bbox = 0, rewritten_bbox = 0;
};

// Sums of one head over a mini-batch: the tallies of its images and the squares of its deltas.
struct YoloFigures {
  double total_sq = 0;  // sum of delta^2 over all entries
  double cls_sq = 0;    // the same over objectness and class entries
  double iou_sum = 0, giou_sum = 0;
  int64_t count = 0;  // positives
  int64_t total_bbox = 0, rewritten_bbox = 0;

  DK_HD void add(const YoloTally& tally) {
    iou_sum += tally.iou_sum;
    giou_sum += tally.giou_sum;
    count += tally.count;
    total_bbox += tally.total_bbox;
    rewritten_bbox += tally.rewritten_bbox;
  }
  DK_HD void add(const YoloFigures& more) {
    total_sq += more.total_sq;
    cls_sq += more.cls_sq;
    add(YoloTally{more.iou_sum, more.giou_sum, more.count, more.total_bbox, more.rewritten_bbox});
  }
};

DK_HD bool is_finite(float x) { return x - x == 0; }

// Activation of one entry: x and y are stretched around the middle by scale_x_y, w and h stay raw. With new_coords the
// convolution before the head is already logistic.
DK_HD float yolo_activate(const YoloParams& p, int entry, float raw) {
  if (entry == 2 || entry == 3) return raw;
  const float y = p.new_coords ? raw : sigmoid(raw);
  return entry < 2 ? p.scale_x_y * y - 0.5f * (p.scale_x_y - 1) : y;
}

// The box that a slot predicts, relative to the image.
DK_HD Box yolo_box(const YoloParams& p, const YoloView& v, int slot, int cell) {
  const float* anchor = p.anchors + 2 * p.mask[slot];
  const float ow = v.out[v.at(slot, 2, cell)], oh = v.out[v.at(slot, 3, cell)];
  const float grow_w = p.new_coords ? ow * ow * 4 : expf(ow), grow_h = p.new_coords ? oh * oh * 4 : expf(oh);
  return Box{(cell % v.w + v.out[v.at(slot, 0, cell)]) / v.w, (cell / v.w + v.out[v.at(slot, 1, cell)]) / v.h,
             grow_w * anchor[0] / v.net_w, grow_h * anchor[1] / v.net_h};
}

// One record (x, y, w, h, class) of the truth array. False where it can train nothing: a class outside the head's, or a box
// without a size or not finite (which the loader never lets through).
DK_HD bool yolo_read_truth(const float* record, int classes, YoloTruth* truth) {
  const float class_id = record[4];
  if (!(class_id >= 0 && class_id < static_cast<float>(classes))) return false;
  if (!(is_finite(record[0]) && is_finite(record[1]) && is_finite(record[2]) && is_finite(record[3]))) return false;
  if (record[2] <= 0 || record[3] <= 0) return false;
  *truth = YoloTruth{Box{record[0], record[1], record[2], record[3]}, static_cast<int>(class_id)};
  return true;
}

// Deltas of all classes of a slot for a truth of class_id. A slot that already learned this class as a wrong answer or as a
// right one keeps its other classes, so that the classes of two truths on one slot are united. cls_normalizer counts only
// together with class multipliers, and only the first time (darknet.md 4.5 REPRODUCE).
DK_HD void yolo_class_delta(const YoloParams& p, const YoloView& v, int slot, int cell, int class_id) {
  const float off = 0.5f * p.label_smooth_eps, on = 1 - p.label_smooth_eps + off;
  const int64_t truth_at = v.at(slot, 5 + class_id, cell);
  const float* multipliers = p.class_multipliers;
  if (v.delta[truth_at] != 0) {
    const float d = on - v.out[truth_at];
    if (is_finite(d)) v.delta[truth_at] = d;
    if (multipliers) v.delta[truth_at] *= multipliers[class_id];
    return;
  }
  float focus = 1;
  if (p.focal_loss) {
    const float pt = v.out[truth_at] + 1e-15f;
    focus = 0.5f * -(1 - pt) * (2 * pt * logf(pt) + pt - 1);
  }
  for (int c = 0; c < p.classes; ++c) {
    const int64_t at = v.at(slot, 5 + c, cell);
    const float d = ((c == class_id ? on : off) - v.out[at]) * focus;
    if (is_finite(d)) v.delta[at] = d;
  }
  if (multipliers) v.delta[truth_at] *= multipliers[class_id] * p.cls_normalizer;
}

// Box deltas of kind mse: distances in the head's own coordinates, heavier for small boxes.
DK_HD Box yolo_mse_delta(const YoloParams& p, const YoloView& v, int slot, int cell, const Box& t) {
  const float* anchor = p.anchors + 2 * p.mask[slot];
  const float rw = t.w * v.net_w / anchor[0], rh = t.h * v.net_h / anchor[1];
  const float target_w = p.new_coords ? sqrtf(rw / 4) : logf(rw), target_h = p.new_coords ? sqrtf(rh / 4) : logf(rh);
  const float weight = 2 - t.w * t.h;
  return Box{weight * (t.x * v.w - cell % v.w - v.out[v.at(slot, 0, cell)]),
             weight * (t.y * v.h - cell / v.w - v.out[v.at(slot, 1, cell)]), weight * (target_w - v.out[v.at(slot, 2, cell)]),
             weight * (target_h - v.out[v.at(slot, 3, cell)])};
}

// Not finite: 0; else within [-limit, limit].
DK_HD float repaired(float d, float limit) { return !is_finite(d) ? 0.0f : d > limit ? limit : d < -limit ? -limit : d; }

// Adds the box deltas of a truth to a slot, times iou_normalizer and the class multiplier. Repair and max_delta are for the
// IoU kinds only.
DK_HD void yolo_box_delta(const YoloParams& p, const YoloView& v, int slot, int cell, const YoloTruth& truth,
                          const Box& predicted, YoloTally* tally) {
  float* d[4];
  bool written = false;
  for (int e = 0; e < 4; ++e) {
    d[e] = v.delta + v.at(slot, e, cell);
    written = written || *d[e] != 0;
  }
  tally->total_bbox += 1;
  tally->rewritten_bbox += written ? 1 : 0;

  const float weight = p.iou_normalizer * (p.class_multipliers ? p.class_multipliers[truth.class_id] : 1.0f);
  Box g;
  if (p.iou_loss == IouLoss::mse) {
    g = yolo_mse_delta(p, v, slot, cell, truth.box);
    g = Box{g.x * weight, g.y * weight, g.w * weight, g.h * weight};
  } else {
    g = box_gradient(predicted, truth.box, p.iou_loss);
    if (!p.new_coords) {
      g.w *= expf(v.out[v.at(slot, 2, cell)]);
      g.h *= expf(v.out[v.at(slot, 3, cell)]);
    }
    g = Box{repaired(g.x * weight, p.max_delta), repaired(g.y * weight, p.max_delta), repaired(g.w * weight, p.max_delta),
            repaired(g.h * weight, p.max_delta)};
  }
  *d[0] += g.x;
  *d[1] += g.y;
  *d[2] += g.w;
  *d[3] += g.h;
}

// Pass 1, for one slot of one cell: "there is nothing here", unless the slot already predicts some truth well. Slots are
// independent of each other. truths are those of the image, in order. delta must be zero before.
DK_HD void yolo_pass_background(const YoloParams& p, const YoloView& v, int slot, int cell, const YoloTruth* truths,
                                int truth_count, YoloTally* tally) {
  const int64_t object_at = v.at(slot, 4, cell);
  if (truth_count > 0 && !is_finite(v.out[object_at])) v.out[object_at] = 0;
  float best = 0;
  int best_truth = -1;
  Box predicted{};
  if (truth_count > 0) predicted = yolo_box(p, v, slot, cell);
  for (int t = 0; t < truth_count; ++t) {
    const float iou = box_iou(predicted, truths[t].box);
    if (iou > best) {
      best = iou;
      best_truth = t;
    }
  }
  v.delta[object_at] = p.obj_normalizer * (0 - v.out[object_at]);
  if (best > p.ignore_thresh) {
    // Only a slot that is fairly sure of some class, whichever, is spared.
    bool some_class = false;
    for (int c = 0; c < p.classes && !some_class; ++c) some_class = v.out[v.at(slot, 5 + c, cell)] > 0.25f;
    if (some_class && p.objectness_smooth) {
      v.delta[object_at] = larger(v.delta[object_at], p.obj_normalizer * (best - v.out[object_at]));
    } else if (some_class) {
      v.delta[object_at] = 0;
    }
  }
  if (best_truth >= 0 && best > p.truth_thresh) {
    const YoloTruth& truth = truths[best_truth];
    v.delta[object_at] = p.obj_normalizer * ((p.objectness_smooth ? best * best : 1.0f) - v.out[object_at]);
    yolo_class_delta(p, v, slot, cell, truth.class_id);
    yolo_box_delta(p, v, slot, cell, truth, predicted, tally);
  }
}

// Makes one slot a positive sample of a truth.
DK_HD void yolo_positive(const YoloParams& p, const YoloView& v, int slot, int cell, const YoloTruth& truth, YoloTally* tally) {
  const Box predicted = yolo_box(p, v, slot, cell);
  tally->iou_sum += box_iou(predicted, truth.box);
  tally->giou_sum += box_giou(predicted, truth.box);
  tally->count += 1;
  yolo_box_delta(p, v, slot, cell, truth, predicted, tally);
  const int64_t object_at = v.at(slot, 4, cell);
  if (!p.objectness_smooth || v.delta[object_at] == 0) {
    const float multiplier = p.class_multipliers ? p.class_multipliers[truth.class_id] : 1.0f;
    v.delta[object_at] = multiplier * p.obj_normalizer * (1 - v.out[object_at]);
  }
  yolo_class_delta(p, v, slot, cell, truth.class_id);
}

// Likeness of a truth's shape and an anchor's, both centred at the origin.
DK_HD float yolo_shape_match(const YoloParams& p, const YoloView& v, const YoloTruth& truth, int anchor, IouLoss kind) {
  const Box a = {0, 0, p.anchors[2 * anchor] / v.net_w, p.anchors[2 * anchor + 1] / v.net_h};
  return box_similarity(a, Box{0, 0, truth.box.w, truth.box.h}, kind);
}

// A coordinate in [0, 1] as a cell number; 1 itself falls into the last cell.
DK_HD int yolo_cell_of(float position, int cells) {
  const float scaled = position * static_cast<float>(cells);
  return scaled >= static_cast<float>(cells) ? cells - 1 : scaled > 0 ? static_cast<int>(scaled) : 0;
}

// The anchor, among all of them, that fits a truth's shape best.
DK_HD int yolo_best_anchor(const YoloParams& p, const YoloView& v, const YoloTruth& truth) {
  int best_anchor = 0;
  float best = 0;
  for (int a = 0; a < p.num; ++a) {
    const float match = yolo_shape_match(p, v, truth, a, IouLoss::iou);
    if (match > best) {
      best = match;
      best_anchor = a;
    }
  }
  return best_anchor;
}

DK_HD int yolo_truth_cell(const YoloView& v, const YoloTruth& truth) {
  return yolo_cell_of(truth.box.y, v.h) * v.w + yolo_cell_of(truth.box.x, v.w);
}

// Whether a slot of the truth's cell becomes positive: that of the best anchor, and with iou_thresh < 1 every other one whose
// anchor fits well enough too.
DK_HD bool yolo_fits(const YoloParams& p, const YoloView& v, const YoloTruth& truth, int best_anchor, int slot) {
  const int anchor = p.mask[slot];
  return anchor == best_anchor || (p.iou_thresh < 1 && yolo_shape_match(p, v, truth, anchor, p.iou_thresh_kind) > p.iou_thresh);
}

// Pass 2, for one truth; the truths of an image go one after the other in order, since two of them can meet on one slot.
DK_HD void yolo_pass_truth(const YoloParams& p, const YoloView& v, const YoloTruth& truth, YoloTally* tally) {
  const int cell = yolo_truth_cell(v, truth), best_anchor = yolo_best_anchor(p, v, truth);
  for (int slot = 0; slot < p.mask_count; ++slot) {
    if (yolo_fits(p, v, truth, best_anchor, slot)) yolo_positive(p, v, slot, cell, truth, tally);
  }
}

// Pass 3, only if iou_thresh < 1, for one slot of one cell: divides the box deltas by the number of classes with a positive
// delta (darknet.md 4.7 REPRODUCE: truths of different classes are averaged, those of one class are summed).
DK_HD void yolo_pass_average(const YoloParams& p, const YoloView& v, int slot, int cell) {
  if (v.delta[v.at(slot, 4, cell)] == 0) return;
  int positive = 0;
  for (int c = 0; c < p.classes; ++c) positive += v.delta[v.at(slot, 5 + c, cell)] > 0 ? 1 : 0;
  if (positive == 0) return;
  for (int e = 0; e < 4; ++e) v.delta[v.at(slot, e, cell)] /= static_cast<float>(positive);
}

}  // namespace dk
