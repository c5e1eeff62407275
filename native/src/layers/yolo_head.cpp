// Host driver of the [yolo] passes: one image per task, figures summed in image order.
#include "layers/yolo_head.h"

#include <algorithm>

#include "core/status.h"

namespace dk {

namespace {

constexpr int kTruthFloats = 5;

// Usable truths of one image, in order.
std::vector<YoloTruth> read_truths(const YoloParams& p, const float* records) {
  std::vector<YoloTruth> truths;
  for (int t = 0; t < p.max_boxes; ++t) {
    const float* record = records + static_cast<int64_t>(t) * kTruthFloats;
    if (record[0] == 0) break;
    YoloTruth truth;
    if (yolo_read_truth(record, p.classes, &truth)) truths.push_back(truth);
  }
  return truths;
}

void activate_image(const YoloParams& p, int64_t area, float* io) {
  for (int slot = 0; slot < p.mask_count; ++slot) {
    for (int entry = 0; entry < p.entries(); ++entry) {
      float* plane = io + (static_cast<int64_t>(slot) * p.entries() + entry) * area;
      for (int64_t i = 0; i < area; ++i) plane[i] = yolo_activate(p, entry, plane[i]);
    }
  }
}

// Adds the squares of one image's deltas.
void add_squares(const YoloParams& p, int64_t area, const float* delta, YoloStats* stats) {
  for (int slot = 0; slot < p.mask_count; ++slot) {
    for (int entry = 0; entry < p.entries(); ++entry) {
      const float* plane = delta + (static_cast<int64_t>(slot) * p.entries() + entry) * area;
      double sum = 0;
      for (int64_t i = 0; i < area; ++i) sum += static_cast<double>(plane[i]) * plane[i];
      stats->total_sq += sum;
      if (entry >= 4) stats->cls_sq += sum;
    }
  }
}

YoloStats train_image(const YoloParams& p, const YoloView& view, const float* records) {
  const int area = view.h * view.w;
  const std::vector<YoloTruth> truths = read_truths(p, records);
  YoloTally tally;
  activate_image(p, area, view.out);
  std::fill(view.delta, view.delta + view.slot_stride * p.mask_count, 0.0f);
  for (int slot = 0; slot < p.mask_count; ++slot) {
    for (int cell = 0; cell < area; ++cell) {
      yolo_pass_background(p, view, slot, cell, truths.data(), static_cast<int>(truths.size()), &tally);
    }
  }
  for (const YoloTruth& truth : truths) yolo_pass_truth(p, view, truth, &tally);
  if (p.iou_thresh < 1) {
    for (int slot = 0; slot < p.mask_count; ++slot) {
      for (int cell = 0; cell < area; ++cell) yolo_pass_average(p, view, slot, cell);
    }
  }
  YoloStats stats;
  stats.iou_sum = tally.iou_sum;
  stats.giou_sum = tally.giou_sum;
  stats.count = tally.count;
  stats.total_bbox = tally.total_bbox;
  stats.rewritten_bbox = tally.rewritten_bbox;
  add_squares(p, area, view.delta, &stats);
  return stats;
}

}  // namespace

void validate_yolo(const YoloParams& p, int channels) {
  if (p.classes < 1 || p.classes > 10000) bad_input("[yolo]: classes=%d, expected 1 to 10000", p.classes);
  if (p.num < 1 || p.anchors == nullptr) bad_input("[yolo]: num=%d, expected at least one anchor", p.num);
  if (p.mask_count < 1 || p.mask == nullptr) bad_input("[yolo]: mask is empty");
  for (int slot = 0; slot < p.mask_count; ++slot) {
    if (p.mask[slot] < 0 || p.mask[slot] >= p.num)
      bad_input("[yolo]: mask %d, expected 0 to num-1 = %d", p.mask[slot], p.num - 1);
  }
  for (int i = 0; i < 2 * p.num; ++i) {
    if (!(p.anchors[i] > 0) || !is_finite(p.anchors[i]))
      bad_input("[yolo]: anchor number %d is %g, expected more than 0", i + 1, p.anchors[i]);
  }
  if (p.max_boxes < 0) bad_input("[yolo]: max=%d, expected 0 or more", p.max_boxes);
  const int64_t wanted = static_cast<int64_t>(p.mask_count) * p.entries();
  if (wanted != channels) {
    bad_input("[yolo]: the layer before has filters=%d, expected (classes + 5) * masks = (%d + 5) * %d = %lld", channels,
              p.classes, p.mask_count, static_cast<long long>(wanted));
  }
}

std::vector<float> class_multipliers(const std::vector<float>& counters, float max_delta) {
  float largest = 1;
  for (float count : counters) largest = std::max(largest, count);
  std::vector<float> multipliers;
  multipliers.reserve(counters.size());
  for (float count : counters) multipliers.push_back(std::min(largest / std::max(count, 1.0f), max_delta));
  return multipliers;
}

void yolo_forward_infer(const YoloParams& params, int n, int h, int w, float* io) {
  const int64_t area = static_cast<int64_t>(h) * w, image = area * params.entries() * params.mask_count;
#pragma omp parallel for schedule(static)
  for (int b = 0; b < n; ++b) activate_image(params, area, io + b * image);
}

YoloStats yolo_forward_train(const YoloParams& params, int n, int h, int w, int net_w, int net_h, float* io, const float* truth,
                             float* delta) {
  const int64_t image = static_cast<int64_t>(h) * w * params.entries() * params.mask_count;
  const int64_t truth_image = static_cast<int64_t>(params.max_boxes) * kTruthFloats;
  std::vector<YoloStats> parts(static_cast<size_t>(n));
#pragma omp parallel for schedule(dynamic, 1)
  for (int b = 0; b < n; ++b) {
    const YoloView view = yolo_planar_view(params, h, w, net_w, net_h, io + b * image, delta + b * image);
    parts[static_cast<size_t>(b)] = train_image(params, view, truth + b * truth_image);
  }
  YoloStats s;
  for (const YoloStats& part : parts) {
    s.total_sq += part.total_sq;
    s.cls_sq += part.cls_sq;
    s.iou_sum += part.iou_sum;
    s.giou_sum += part.giou_sum;
    s.count += part.count;
    s.total_bbox += part.total_bbox;
    s.rewritten_bbox += part.rewritten_bbox;
  }
  const double positives = static_cast<double>(std::max<int64_t>(s.count, 1));
  s.avg_iou = s.iou_sum / positives;
  s.total_loss = s.total_sq;
  s.class_loss = params.obj_normalizer * s.cls_sq;
  s.iou_loss = s.total_loss - s.class_loss;
  if (params.iou_loss == IouLoss::mse) {
    s.cost = s.total_sq;
  } else {
    const double measure = params.iou_loss == IouLoss::giou ? s.giou_sum : s.iou_sum;
    const double box_cost = s.count > 0 ? params.iou_normalizer * (static_cast<double>(s.count) - measure) / positives : 0.0;
    s.cost = box_cost + s.class_loss;
  }
  return s;
}

}  // namespace dk
