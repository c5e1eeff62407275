// The weight update of one iteration (darknet.md 3.1.6, 1.7) over all parameters of a network.
#pragma once

#include <cstdint>

#include "model/network.h"
#include "model/param_store.h"

namespace dk {

struct UpdateStep {
  int64_t iteration = 1;  // number of this update, from 1
  float rate = 0;         // learning rate now
  int batch = 1;          // images whose deltas were summed
  int stop_before = -1;   // layers up to this one had no backward pass and are left alone
  bool averages = false;  // the store's averages follow, keeping this share of themselves
  float average_share = 0;
};

// Whether all weights are finite numbers afterwards is told by network.outcome().
void update_weights(Network& network, const ParamStore& store, const UpdateStep& step);

}  // namespace dk
