#include "train/run_files.h"

#include <cstdio>
#include <utility>

#include "core/files.h"
#include "model/weights_file.h"

namespace dk {
namespace {

// Promise P8: a crash loses at most this.
constexpr int64_t kStateSteps = 100;
constexpr double kStateSeconds = 60;

}  // namespace

HostWeights averaged_weights(const ParamStore& store) {
  HostWeights weights = store.export_host(ParamField::average);
  for (size_t i = 0; i < store.arrays().size(); ++i) {
    const ParamArray& array = store.arrays()[i];
    if (array.g == nullptr) store.export_array(array, ParamField::value, &weights.arrays[i]);
  }
  return weights;
}

RunFiles::RunFiles(const NetworkDef& def, const ParamStore& store, TrainListener& listener, std::string backup, std::string base)
    : def_(def), store_(store), listener_(listener), backup_(std::move(backup)), base_(std::move(base)),
      last_state_time_(std::chrono::steady_clock::now()) {}

std::string RunFiles::weights_path(const std::string& suffix) const {
  return join_path(backup_, base_ + "_" + suffix + ".weights");
}

void RunFiles::write(const TrainState& state, const std::string& suffix, const std::string& kind, const HostWeights& weights) {
  const std::string path = weights_path(suffix);
  dk::write_weights(def_, path, weights, static_cast<uint64_t>(state.seen));
  last_written_ = path;
  listener_.checkpoint({state.iteration, path, kind});
}

void RunFiles::write_weights(const TrainState& state, const std::string& suffix, const std::string& kind) {
  write(state, suffix, kind, store_.export_host());
}

void RunFiles::write_average(const TrainState& state) { write(state, "ema", "ema", averaged_weights(store_)); }

void RunFiles::write_due(const TrainState& state, int save_weights, int save_last) {
  if (state.iteration % save_weights == 0) write_weights(state, std::to_string(state.iteration), "numbered");
  if (state.iteration % save_last != 0 || state.iteration <= 1) return;
  write_weights(state, "last", "last");
  if (state.averaging == 1) write_average(state);
}

void RunFiles::begin(int64_t iteration) {
  last_state_time_ = std::chrono::steady_clock::now();
  last_state_iteration_ = iteration;
}

bool RunFiles::state_due(int64_t iteration, double seconds) const {
  const double since = std::chrono::duration<double>(std::chrono::steady_clock::now() - last_state_time_).count();
  return iteration - last_state_iteration_ >= kStateSteps || since + seconds > kStateSeconds;
}

void RunFiles::save_state(const TrainState& state) {
  const std::string path = state_path(backup_, base_);
  if (file_exists(path)) std::rename(path.c_str(), previous_state_path(backup_, base_).c_str());
  write_state(def_, path, store_, state);
  begin(state.iteration);
  listener_.checkpoint({state.iteration, path, "state"});
}

std::string RunFiles::best_to_use(const TrainState& state) const {
  return state.best_iteration >= 0 && file_exists(weights_path("best")) ? weights_path("best") : last_written_;
}

std::string RunFiles::state_to_resume() const {
  const std::string path = state_path(backup_, base_);
  return file_exists(path) ? path : "";
}

}  // namespace dk
