#include "train/gradient_scale.h"

namespace dk {
namespace {

// Darknet's deltas are sums over the images, not means: they need less than is usual elsewhere.
constexpr float kFirst = 4096.0f, kLeast = 1.0f / 1024, kMost = 16777216.0f;
constexpr int kGoodSteps = 2000;

}  // namespace

GradientScale::GradientScale(DType dtype, TrainState* state) : dtype_(dtype), state_(*state) {
  if (dtype == DType::f16 && state->gradient_scale == 0) state->gradient_scale = kFirst;
}

void GradientScale::good() {
  if (!needed() || ++state_.good_steps < kGoodSteps) return;
  state_.good_steps = 0;
  if (state_.gradient_scale < kMost) state_.gradient_scale *= 2;
}

bool GradientScale::halve() {
  if (state_.gradient_scale <= kLeast) return false;
  state_.gradient_scale /= 2;
  state_.good_steps = 0;
  ++state_.skipped_steps;
  return true;
}

}  // namespace dk
