// Decoding and suppression. Suppression compares a candidate only with kept boxes near it (KeptBoxes), so that thousands of
// weak candidates, as a mAP run has them, don't cost the square of their number.
#include "infer/detection.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <utility>

#include "core/status.h"
#include "math/suppression.h"

namespace dk {

namespace {

// The kept boxes of one class in a grid over the image by their centres. All likenesses are at most the IoU, and an IoU above
// t > 0 needs a common width above t * max(w1, w2), so the centres lie less than (1 - t) / t * w apart in x (w of either), and
// likewise in y.
class KeptBoxes {
 public:
  KeptBoxes(NmsKind kind, float beta, float threshold)
      : kind_(kind), beta_(beta), threshold_(threshold), reach_(threshold > 0 ? 1.001f * (1 - threshold) / threshold : -1) {}

  void clear() {
    for (int cell : used_) cells_[static_cast<size_t>(cell)].clear();
    used_.clear();
  }

  void add(const Box& box) {
    const int cell = place(box.y) * kSide + place(box.x);
    std::vector<Box>& list = cells_[static_cast<size_t>(cell)];
    if (list.empty()) used_.push_back(cell);
    list.push_back(box);
  }

  bool suppresses(const Box& box) const {
    const bool whole = reach_ < 0 || !is_finite(box.x) || !is_finite(box.y) || !is_finite(box.w) || !is_finite(box.h);
    const float dx = reach_ * std::fabs(box.w), dy = reach_ * std::fabs(box.h);
    const int left = whole ? 0 : place(box.x - dx), right = whole ? kSide - 1 : place(box.x + dx);
    const int top = whole ? 0 : place(box.y - dy), bottom = whole ? kSide - 1 : place(box.y + dy);
    for (int row = top; row <= bottom; ++row) {
      for (int column = left; column <= right; ++column) {
        for (const Box& kept : cells_[static_cast<size_t>(row * kSide + column)]) {
          if (too_alike(kind_, beta_, threshold_, kept, box)) return true;
        }
      }
    }
    return false;
  }

 private:
  static constexpr int kSide = 32;

  // Column or row of a relative coordinate; what lies outside the image (or is no number) goes to the border.
  static int place(float position) {
    const float scaled = position * kSide;
    return scaled >= kSide ? kSide - 1 : scaled > 0 ? static_cast<int>(scaled) : 0;
  }

  NmsKind kind_;
  float beta_, threshold_, reach_;
  std::vector<std::vector<Box>> cells_ = std::vector<std::vector<Box>>(static_cast<size_t>(kSide) * kSide);
  std::vector<int> used_;
};

// Brings the array into the given order.
void reorder(const std::vector<uint32_t>& order, Detections* d) {
  Detections sorted(d->classes);
  sorted.boxes.reserve(d->size());
  sorted.objectness.reserve(d->size());
  sorted.probs.reserve(d->probs.size());
  for (uint32_t i : order) {
    sorted.boxes.push_back(d->boxes[i]);
    sorted.objectness.push_back(d->objectness[i]);
    sorted.probs.insert(sorted.probs.end(), d->row(i), d->row(i) + d->classes);
  }
  *d = std::move(sorted);
}

}  // namespace

void decode_yolo(const YoloParams& p, int h, int w, int net_w, int net_h, const float* activated, float thresh, Detections* out) {
  DK_ASSERT(out->classes == p.classes);
  // The view is only read from here; the passes of training write through the same type.
  const YoloView v = yolo_planar_view(p, h, w, net_w, net_h, const_cast<float*>(activated), nullptr);
  for (int cell = 0; cell < h * w; ++cell) {
    for (int slot = 0; slot < p.mask_count; ++slot) {
      const float objectness = activated[v.at(slot, 4, cell)];
      if (!(objectness > thresh)) continue;
      out->boxes.push_back(yolo_box(p, v, slot, cell));
      out->objectness.push_back(objectness);
      for (int c = 0; c < p.classes; ++c) {
        const float prob = objectness * activated[v.at(slot, 5 + c, cell)];
        out->probs.push_back(prob > thresh ? prob : 0.0f);
      }
    }
  }
}

BoxFrame letterbox_frame(int image_w, int image_h, int net_w, int net_h) {
  int inner_w = net_w, inner_h = net_h;
  if (static_cast<float>(net_w) / image_w < static_cast<float>(net_h) / image_h) {
    inner_h = static_cast<int>(static_cast<int64_t>(image_h) * net_w / image_w);
  } else {
    inner_w = static_cast<int>(static_cast<int64_t>(image_w) * net_h / image_h);
  }
  return BoxFrame{(net_w - inner_w) / 2.0f / net_w, (net_h - inner_h) / 2.0f / net_h, static_cast<float>(inner_w) / net_w,
                  static_cast<float>(inner_h) / net_h};
}

void correct_boxes_letterbox(int image_w, int image_h, int net_w, int net_h, Detections* detections) {
  const BoxFrame frame = letterbox_frame(image_w, image_h, net_w, net_h);
  for (Box& b : detections->boxes) b = in_frame(frame, b);
}

void nms(NmsKind kind, float beta, float threshold, Detections* d) {
  std::vector<uint32_t> order(d->size());
  std::iota(order.begin(), order.end(), 0u);
  const auto live_end = std::stable_partition(order.begin(), order.end(), [d](uint32_t i) { return d->objectness[i] != 0; });
  KeptBoxes kept(kind, beta, threshold);
  std::vector<std::pair<float, uint32_t>> ranked;  // the class's candidates
  std::vector<uint32_t> others;
  for (int c = 0; c < d->classes; ++c) {
    // A stable sort by falling probability: the zeros keep their order behind the others.
    ranked.clear();
    others.clear();
    for (auto i = order.begin(); i != live_end; ++i) {
      const float prob = d->row(*i)[c];
      if (prob > 0) {
        ranked.emplace_back(prob, *i);
      } else {
        others.push_back(*i);
      }
    }
    std::stable_sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
    kept.clear();
    auto next = order.begin();
    for (const auto& [prob, i] : ranked) {
      *next++ = i;
      if (kept.suppresses(d->boxes[i])) {
        d->row(i)[c] = 0;
      } else {
        kept.add(d->boxes[i]);
      }
    }
    std::copy(others.begin(), others.end(), next);
  }
  reorder(order, d);
}

std::vector<Detection> list_detections(const Detections& d, float thresh) {
  std::vector<Detection> list;
  for (size_t i = 0; i < d.size(); ++i) {
    for (int c = 0; c < d.classes; ++c) {
      if (d.row(i)[c] > thresh) list.push_back(Detection{d.boxes[i], d.objectness[i], c, d.row(i)[c]});
    }
  }
  return list;
}

}  // namespace dk
