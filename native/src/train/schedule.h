// The learning rate of an iteration (darknet.md 2.1) and the input size of multi-scale training (5.9), both pure functions
// of the options and the iteration number, so that a resumed run goes on exactly.
#pragma once

#include <cstdint>

#include "model/network_def.h"

namespace dk {

// t: the number of the update, from 1 (the counter has already been advanced when the update runs).
float learning_rate_at(const NetOptions& net, int64_t t, uint64_t seed);

struct InputSize {
  int width = 0, height = 0;
  bool operator==(const InputSize&) const = default;
};

// The size that iteration `iteration` (from 0) trains at. random: key of the last [yolo] layer (0 = always the cfg's size).
// Changes every 10 iterations; the first ten and the last hundred use the largest size.
InputSize training_size(const NetOptions& net, float random, int64_t iteration, int64_t max_batches, uint64_t seed);
InputSize largest_training_size(const NetOptions& net, float random);

}  // namespace dk
