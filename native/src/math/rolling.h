// How the statistics of mini-batches become the rolling ones (darknet.md 3.1.2), one text for host and device. It starts from
// the figures of a mini-batch as they are stored, so that another process that is told these gets the same bits.
#pragma once

#include <cmath>

#include "math/host_device.h"

namespace dk {

constexpr float kRollingMomentum = 0.01f;  // rolling = 0.99 rolling + 0.01 new; the new variance is the unbiased one

DK_HD float roll(float rolling, float value) {
  constexpr double kNew = kRollingMomentum;
  return static_cast<float>(fma(1.0 - kNew, static_cast<double>(rolling), kNew * static_cast<double>(value)));
}

// Of `count` values whose biased variance (1/n) is given; one value has none.
DK_HD float unbiased(float variance, double count) {
  return static_cast<float>(static_cast<double>(variance) * (count / (count > 1 ? count - 1 : 1.0)));
}

}  // namespace dk
