// f16 ends at 65504 and, in small steps, at 6e-8: deltas are multiplied by a scale on their way into it, and gradients divided by
// it before the update. The scale is halved where a gradient overflowed (that update is left out) and doubled again after many
// good steps, so it stays near the largest that fits. Its figures are part of the state (train/state_file.h).
#pragma once

#include "backend/backend.h"
#include "train/state_file.h"

namespace dk {

class GradientScale {
 public:
  GradientScale(DType dtype, TrainState* state);

  bool needed() const { return dtype_ == DType::f16; }
  float value() const { return needed() ? state_.gradient_scale : 1.0f; }
  // After an iteration whose gradients were all finite.
  void good();
  // After one whose were not, and whose update is left out. False if the scale is the smallest already: then it is not its fault.
  bool halve();

 private:
  const DType dtype_;
  TrainState& state_;
};

}  // namespace dk
