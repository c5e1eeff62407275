// The files that a run leaves: weights of many kinds, and the state that a crash loses no more than promised behind.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "model/network_def.h"
#include "model/param_store.h"
#include "train/state_file.h"
#include "train/train_events.h"

namespace dk {

// The averages as a network: they have no rolling statistics of their own, so those of the weights go with them.
HostWeights averaged_weights(const ParamStore& store);

class RunFiles {
 public:
  RunFiles(const NetworkDef& def, const ParamStore& store, TrainListener& listener, std::string backup, std::string base);

  // BASE_SUFFIX.weights; reported as `kind`.
  void write_weights(const TrainState& state, const std::string& suffix, const std::string& kind);
  void write_average(const TrainState& state);
  // What is due after this step: the numbered weights, the last ones, the average.
  void write_due(const TrainState& state, int save_weights, int save_last);

  // The state counts as written at this step.
  void begin(int64_t iteration);
  // Whether one more step of `seconds` would carry the loss of a crash over the promise.
  bool state_due(int64_t iteration, double seconds) const;
  void save_state(const TrainState& state);

  // The file to use: the best weights where there was an evaluation, else the last ones written; "" without any.
  std::string best_to_use(const TrainState& state) const;
  // The path of the state, "" when none was written yet.
  std::string state_to_resume() const;

 private:
  std::string weights_path(const std::string& suffix) const;
  void write(const TrainState& state, const std::string& suffix, const std::string& kind, const HostWeights& weights);

  const NetworkDef& def_;
  const ParamStore& store_;
  TrainListener& listener_;
  const std::string backup_, base_;
  std::string last_written_;
  std::chrono::steady_clock::time_point last_state_time_;
  int64_t last_state_iteration_ = 0;
};

}  // namespace dk
