#include "layers/yolo_head.h"

#include <algorithm>

#include "core/status.h"

namespace dk {

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

YoloStats yolo_stats(const YoloParams& params, const YoloFigures& figures) {
  YoloStats s;
  static_cast<YoloFigures&>(s) = figures;
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
