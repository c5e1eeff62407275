// The side file that makes resuming exact: everything a run needs to go on from an iteration as if it had never stopped -
// weights, momentum, averages, counters - with a checksum, written so that a crash leaves the old or the new file.
#pragma once

#include <cstdint>
#include <string>

#include "model/network_def.h"
#include "model/param_store.h"

namespace dk {

// Plain data, written as it is (little-endian, no padding).
struct TrainState {
  uint64_t seed = 0;
  int64_t iteration = 0;  // updates done
  int64_t seen = 0;       // images seen, as the weights file counts them
  int64_t last_map_iteration = 0;
  int64_t best_iteration = -1;
  double avg_loss = -1;
  double last_map = -1;
  double best_map = -1;
  double seconds = 0;  // of training, over all runs
  int32_t batch = 0, mini_batch = 0;
  int32_t threads = 0;
  int32_t precision = 0;  // a DType
  int32_t averaging = 0;  // 0 none, 1 the average has begun, 2 it has been put in place
  int32_t reserved = 0;
  // From here on since version 2 of the file.
  float gradient_scale = 0;  // f16: train/gradient_scale.h; 0 before the first step
  int32_t good_steps = 0;
  int64_t skipped_steps = 0;
};
static_assert(sizeof(TrainState) == 8 * 9 + 4 * 6 + 16);

void write_state(const NetworkDef& def, const std::string& path, const ParamStore& store, const TrainState& state);

struct LoadedState {
  TrainState state;
  HostWeights values, momentum, averages;  // averages is empty unless state.averaging == 1
};

// Throws Error(bad_input) naming what is wrong: no state file, cut off, damaged, of another network.
LoadedState read_state(const NetworkDef& def, const std::string& path);

// The newest good state among `base`.state and `base`.previous.state in the folder; the reasons against the others go to
// `problems`. Returns an empty path when there is none.
std::string find_state(const NetworkDef& def, const std::string& folder, const std::string& base, std::string* problems);

std::string state_path(const std::string& folder, const std::string& base);
std::string previous_state_path(const std::string& folder, const std::string& base);

}  // namespace dk
