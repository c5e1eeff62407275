// k-means over box sizes. Assignments run in parallel and are independent of each other; sums are in box order.
#include "train/anchors.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "core/status.h"
#include "math/philox.h"

namespace dk {

namespace {

constexpr int kMaxRounds = 1000;

float size_iou(const BoxSize& a, const BoxSize& b) {
  const float common = std::min(a.w, b.w) * std::min(a.h, b.h);
  return common / (a.w * a.h + b.w * b.h - common);
}

// Cannot overflow or vanish when sizes are multiplied.
bool usable(const BoxSize& b) { return b.w > 1e-15f && b.h > 1e-15f && b.w < 1e15f && b.h < 1e15f; }

// The nearest centre, the first of equals.
int nearest(const BoxSize& box, const std::vector<BoxSize>& centres) {
  int best = 0;
  float best_iou = -1;
  for (size_t c = 0; c < centres.size(); ++c) {
    const float iou = size_iou(box, centres[c]);
    if (iou > best_iou) {
      best_iou = iou;
      best = static_cast<int>(c);
    }
  }
  return best;
}

// Spread starts (k-means++): each next centre is a box drawn with a chance that grows with the square of its distance from
// the nearest centre so far. Where all boxes equal a centre, any box will do.
std::vector<BoxSize> first_centres(const std::vector<BoxSize>& boxes, int clusters, Draws* draws) {
  std::vector<BoxSize> centres = {boxes[draws->below(static_cast<uint32_t>(boxes.size()))]};
  std::vector<double> up_to(boxes.size());
  std::vector<float> distance(boxes.size(), 1.0f);
  while (static_cast<int>(centres.size()) < clusters) {
    double total = 0;
    for (size_t i = 0; i < boxes.size(); ++i) {
      distance[i] = std::min(distance[i], 1 - size_iou(boxes[i], centres.back()));
      total += static_cast<double>(distance[i]) * distance[i];
      up_to[i] = total;
    }
    const double mark = static_cast<double>(draws->uniform()) * total;
    const size_t i = static_cast<size_t>(std::upper_bound(up_to.begin(), up_to.end(), mark) - up_to.begin());
    centres.push_back(boxes[std::min(i, boxes.size() - 1)]);
  }
  return centres;
}

// Moves the centres to the means of their boxes until no box changes its centre; an empty cluster keeps its centre.
void settle(const std::vector<BoxSize>& boxes, std::vector<BoxSize>* centres) {
  const int64_t n = static_cast<int64_t>(boxes.size());
  std::vector<int> member(boxes.size(), -1);
  for (int round = 0; round < kMaxRounds; ++round) {
    int64_t changed = 0;
#pragma omp parallel for schedule(static) reduction(+ : changed)
    for (int64_t i = 0; i < n; ++i) {
      const int now = nearest(boxes[static_cast<size_t>(i)], *centres);
      changed += now != member[static_cast<size_t>(i)] ? 1 : 0;
      member[static_cast<size_t>(i)] = now;
    }
    if (changed == 0) return;
    std::vector<double> w(centres->size(), 0), h(centres->size(), 0), count(centres->size(), 0);
    for (size_t i = 0; i < boxes.size(); ++i) {
      const size_t c = static_cast<size_t>(member[i]);
      w[c] += boxes[i].w;
      h[c] += boxes[i].h;
      count[c] += 1;
    }
    for (size_t c = 0; c < centres->size(); ++c) {
      if (count[c] > 0) (*centres)[c] = BoxSize{static_cast<float>(w[c] / count[c]), static_cast<float>(h[c] / count[c])};
    }
  }
}

}  // namespace

double average_anchor_iou(const std::vector<BoxSize>& boxes, const std::vector<BoxSize>& anchors) {
  if (anchors.empty()) return 0;
  double sum = 0;
  int64_t used = 0;
  for (const BoxSize& box : boxes) {
    if (!usable(box)) continue;
    sum += size_iou(box, anchors[static_cast<size_t>(nearest(box, anchors))]);
    ++used;
  }
  return used ? sum / static_cast<double>(used) : 0.0;
}

AnchorResult calc_anchors(const std::vector<BoxSize>& boxes, int clusters, uint64_t seed, int restarts) {
  if (clusters < 1 || clusters > 1000) bad_input("calc_anchors: %d clusters, expected 1 to 1000", clusters);
  std::vector<BoxSize> good;
  std::copy_if(boxes.begin(), boxes.end(), std::back_inserter(good), usable);
  if (good.size() > UINT32_MAX) bad_input("calc_anchors: more than %u boxes", UINT32_MAX);
  if (good.size() < static_cast<size_t>(clusters)) {
    bad_input("calc_anchors: %zu boxes with a size, expected at least as many as clusters (%d)", good.size(), clusters);
  }
  AnchorResult best;
  for (int run = 0; run < std::max(restarts, 1); ++run) {
    Draws draws(seed, Purpose::anchors, static_cast<uint64_t>(run), 0);
    std::vector<BoxSize> centres = first_centres(good, clusters, &draws);
    settle(good, &centres);
    const double avg_iou = average_anchor_iou(good, centres);
    if (run == 0 || avg_iou > best.avg_iou) {
      best.anchors = std::move(centres);
      best.avg_iou = avg_iou;
    }
  }
  std::stable_sort(best.anchors.begin(), best.anchors.end(),
                   [](const BoxSize& a, const BoxSize& b) { return a.w * a.h < b.w * b.h; });
  best.used = static_cast<int64_t>(good.size());
  best.skipped = static_cast<int64_t>(boxes.size() - good.size());
  return best;
}

std::vector<int64_t> count_per_class(const std::vector<int>& class_ids, int classes) {
  std::vector<int64_t> counters(static_cast<size_t>(std::max(classes, 0)), 0);
  for (int id : class_ids) {
    if (id >= 0 && id < classes) counters[static_cast<size_t>(id)] += 1;
  }
  return counters;
}

std::string format_anchors(const std::vector<BoxSize>& anchors, int net_w) {
  std::string text;
  for (const BoxSize& a : anchors) {
    if (!text.empty()) text += ", ";
    text += net_w > 32 ? strf("%3.0f,%3.0f", a.w, a.h) : strf("%2.4f,%2.4f", a.w, a.h);
  }
  return text;
}

std::string format_counters_per_class(const std::vector<int64_t>& counters) {
  std::string text = "counters_per_class = ";
  for (size_t c = 0; c < counters.size(); ++c) text += (c ? ", " : "") + std::to_string(counters[c]);
  return text;
}

}  // namespace dk
