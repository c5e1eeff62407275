// Host driver of the [yolo] passes: one image per task, figures summed in image order.
#include "backend/host_yolo.h"

#include <algorithm>
#include <cstdint>
#include <vector>

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
void add_squares(const YoloParams& p, int64_t area, const float* delta, YoloFigures* figures) {
  for (int slot = 0; slot < p.mask_count; ++slot) {
    for (int entry = 0; entry < p.entries(); ++entry) {
      const float* plane = delta + (static_cast<int64_t>(slot) * p.entries() + entry) * area;
      double sum = 0;
      for (int64_t i = 0; i < area; ++i) sum += static_cast<double>(plane[i]) * plane[i];
      figures->total_sq += sum;
      if (entry >= 4) figures->cls_sq += sum;
    }
  }
}

YoloFigures train_image(const YoloParams& p, const YoloView& view, const float* records) {
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
  YoloFigures figures;
  figures.add(tally);
  add_squares(p, area, view.delta, &figures);
  return figures;
}

}  // namespace

void yolo_forward_infer(const YoloParams& params, int n, int h, int w, float* io) {
  const int64_t area = static_cast<int64_t>(h) * w, image = area * params.entries() * params.mask_count;
#pragma omp parallel for schedule(static)
  for (int b = 0; b < n; ++b) activate_image(params, area, io + b * image);
}

YoloFigures yolo_forward_train(const YoloParams& params, int n, int h, int w, int net_w, int net_h, float* io, const float* truth,
                               float* delta) {
  const int64_t image = static_cast<int64_t>(h) * w * params.entries() * params.mask_count;
  const int64_t truth_image = static_cast<int64_t>(params.max_boxes) * kTruthFloats;
  std::vector<YoloFigures> parts(static_cast<size_t>(n));
#pragma omp parallel for schedule(dynamic, 1)
  for (int b = 0; b < n; ++b) {
    const YoloView view = yolo_planar_view(params, h, w, net_w, net_h, io + b * image, delta + b * image);
    parts[static_cast<size_t>(b)] = train_image(params, view, truth + b * truth_image);
  }
  YoloFigures figures;
  for (const YoloFigures& part : parts) figures.add(part);
  return figures;
}

}  // namespace dk
