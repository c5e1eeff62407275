// The weight update of one iteration (darknet.md 3.1.6, 1.7) over all parameters of a network.
#pragma once

#include <cstdint>

#include "model/network_def.h"
#include "model/param_store.h"

namespace dk {

struct UpdateStep {
  int64_t iteration = 1;  // number of this update, from 1
  float rate = 0;         // learning rate now
  int batch = 1;          // images whose deltas were summed
  int stop_before = -1;   // layers up to this one had no backward pass and are left alone
};

// False if a weight became infinite or NaN.
bool update_weights(const NetworkDef& def, ParamStore& store, Backend& backend, const UpdateStep& step);

}  // namespace dk
