// Bilinear sampling with corners aligned (darknet.md 6.1), as every picture gets into a finished network: one text for host and
// device, rounded alike on both.
#pragma once

#include <cmath>

#include "math/host_device.h"

namespace dk {

// Source positions before and after an output position along one axis, and the share of the second.
struct CornerTap {
  int low, high;
  float share;
};

// step: corner_step(from, to).
inline float corner_step(int from, int to) { return to > 1 ? static_cast<float>(from - 1) / static_cast<float>(to - 1) : 0.0f; }

inline CornerTap corner_tap(int i, int from, int to, float step) {
  const float position = static_cast<float>(i) * step;
  int low = i == to - 1 && to > 1 ? from - 1 : static_cast<int>(position);
  low = low < from - 1 ? low : from - 1;
  const int high = low + 1 < from ? low + 1 : from - 1;
  return CornerTap{low, high, high == low ? 0.0f : position - static_cast<float>(low)};
}

// One operation, rounded once.
DK_HD float between(float a, float b, float share) { return fmaf(share, b - a, a); }

}  // namespace dk
