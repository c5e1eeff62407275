// How a training over several processes begins: the same data and settings everywhere, weights and state from the first process,
// a share of the machine for each.
#pragma once

#include <string>

#include "backend/backend.h"
#include "model/network_def.h"
#include "model/param_store.h"
#include "parallel/communicator.h"
#include "train/state_file.h"
#include "train/train_inputs.h"
#include "train/trainer.h"

namespace dk {

// Throws Error(bad_input) naming the process that reads another cfg, other pictures or labels, or was given other options.
void check_same_inputs(Communicator& processes, const TrainOptions& options, const TrainInputs& inputs);

// The same for what each has chosen for its device.
void check_same_precision(Communicator& processes, DType dtype);

// Of the first process to all; what the others give is overwritten.
void share_state(Communicator& processes, TrainState* state);
void share_weights(Communicator& processes, const NetworkDef& def, HostWeights* weights);
void share_loaded_state(Communicator& processes, const NetworkDef& def, LoadedState* loaded);

// Threads of this process where nothing else was asked for: as many as the resumed run had (0 = none resumed), but not more than
// its part of the machine where it has to share that; 0 = as a single process would.
int threads_of_share(const Place& place, int resumed);

// Of "auto" and "cuda", the card of this process: one each. Throws Error(device) where there are fewer.
std::string device_of_share(const std::string& device, const Place& place);

// The largest mini-batch that all processes have room for.
int smallest_of_all(Communicator& processes, int mini_batch);

// Throws Error(bad_input) naming what would go where the mini-batches of a step can't be dealt out evenly.
void check_share(const NetworkDef& def, int mini_batch, int processes);

}  // namespace dk
