// One weight update of a run: its mini-batches forward and backward, the loss, the update of the weights and their averages.
// Owns what depends on how many images go through at a time: the network with its memory, and the pictures' way to it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "backend/backend.h"
#include "model/network.h"
#include "model/param_store.h"
#include "parallel/communicator.h"
#include "train/picture_feed.h"
#include "train/run_files.h"
#include "train/state_file.h"
#include "train/step_exchange.h"
#include "train/stop_request.h"
#include "train/train_events.h"
#include "train/train_inputs.h"

namespace dk {

struct StepSetup {
  int mini_batch = 1, subdivisions = 1;  // of the whole step; each process does its share of the mini-batches
  bool recompute = false;                // NetworkOptions::recompute
  DType dtype = DType::f32;
  uint64_t seed = 1;
  LoaderOptions loader;
  ImageRoom room;

  int images() const { return mini_batch * subdivisions; }
};

class TrainStep {
 public:
  // The arguments outlive it. The memory is taken here, once, at the largest size that is trained at.
  TrainStep(const TrainInputs& inputs, Backend& backend, ParamStore& store, const RunFiles& files, TrainListener& listener,
            const StopRequest& stop, Communicator& processes, const StepSetup& setup);

  // The pictures of this iteration are the first that are made.
  void begin(int64_t iteration) { feed_->start(static_cast<uint64_t>(iteration)); }

  // The next iteration of *state, which is counted on. False if a stop came to one of the processes in between: then everything
  // is as before it. Throws Error(bad_input) naming the images when the loss or the weights are no longer finite, Error(memory)
  // or bad_alloc where memory is refused: then too all is as before, unless the iteration is counted already.
  bool run(TrainState* state);

  double loss() const { return loss_; }  // of the last iteration, as Darknet prints it
  double load_seconds() const { return load_seconds_; }
  int width() const { return network_.def().net.width; }
  int height() const { return network_.def().net.height; }

 private:
  bool accumulate(TrainPass* pass);
  void take_size(int64_t iteration);
  bool averages(const TrainState& state) const;
  bool update(TrainState* state, const TrainPass& pass);
  void collect(const StepOutcome& outcome, int64_t iteration);
  void put_average_in_place(TrainState* state);
  void remember_statistics();
  void restore_statistics();
  [[noreturn]] void fail_not_finite(const char* what, const std::vector<int>& indices, int64_t iteration) const;

  const TrainInputs& in_;
  Backend& backend_;
  ParamStore& store_;
  const RunFiles& files_;
  TrainListener& listener_;
  const StopRequest& stop_;
  Communicator& processes_;
  const StepSetup setup_;
  const int own_parts_, first_part_;  // mini-batches of a step
  const float random_;
  Network network_;
  StepExchange exchange_;
  std::unique_ptr<PictureFeed> feed_;  // after the network: images take what memory is left
  bool first_ = true;
  std::vector<std::vector<int>> images_;  // of the iteration's mini-batches
  double loss_ = 0, load_seconds_ = 0;
  std::unique_ptr<void, std::function<void(void*)>> statistics_;  // in the back end's memory
};

}  // namespace dk
