// A whole training run: data, network, weights, iterations, evaluation, checkpoints (darknet.md 2, 5.9, 7.3, 1.8). Reports
// to a TrainListener; stops when asked, at the latest after the mini-batch in work. Several processes may share it: each does its
// part of every step's mini-batches; the first one writes the files, evaluates and has what there is to tell.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "backend/backend.h"
#include "parallel/communicator.h"
#include "train/stop_request.h"
#include "train/train_events.h"

namespace dk {

struct TrainOptions {
  std::string data_path, cfg_path, weights_path;
  std::string device = "auto";
  std::function<std::unique_ptr<Backend>()> open_device;  // instead of the device of that name
  int threads = 0;                 // of this process; 0 = one per core, shared by the processes of a machine
  std::optional<DType> precision;  // none: what suits the device, and of a resumed run what it had
  uint64_t seed = 1;
  bool deterministic = false;  // the same bits on every run, also where a card would be faster without
  bool clear = false;          // start counting from iteration 0
  bool resume = false;         // go on from the newest good state in `backup`
  bool map = false;
  int map_epochs = 4;
  float iou_thresh = 0.5f, thresh = 0.25f;
  int points = 0;
  int64_t steps = 0;               // 0 = the cfg's max_batches
  int subdivisions = 0;            // 0 = the cfg's, and of a resumed run those that it had
  bool auto_subdivisions = false;  // the largest mini-batch that fits the memory
  int64_t memory_bytes = 0;        // budget of the device's memory, 0 = what is available
  int loader_threads = 0;          // 0 = chosen
  int samples = 4;                 // pictures of the validation set that are shown
  std::string sample_list;         // the pictures to show instead, "" = none named
  int64_t sample_every = 0;        // steps between two showings, from step 0 on; 0 = after evaluations only
};

// Throws dk::Error: bad_input, memory, disk, device; Error(stopped) is not thrown: a stop ends in a `done` event and returns
// false. A stop takes effect after the mini-batch in work; when the checkpoint is written, mAP is measured if that is done in
// time (docs/protocol.md).
bool train(const TrainOptions& options, TrainListener& listener, const StopRequest& stop, Communicator& processes);

}  // namespace dk
