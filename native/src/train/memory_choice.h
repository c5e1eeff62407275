// Which mini-batch a run trains with: the one that was asked for, that of the state it resumes, or the largest that fits.
#pragma once

#include "backend/backend.h"
#include "model/network_def.h"
#include "parallel/communicator.h"
#include "train/memory_plan.h"
#include "train/state_file.h"
#include "train/trainer.h"

namespace dk {

// resumed: the state that the run goes on from, or null; the mini-batch may become another one there, the batch may not.
// Throws Error(memory) naming the largest setting that fits, Error(bad_input) for a batch that is not the resumed one's.
MemoryPlan choose_memory(const TrainOptions& options, const NetworkDef& def, Backend& backend, const MemoryRequest& request,
                         const TrainState* resumed, Communicator& processes);

// The memory this process may take in all: of what the machine has, its part, and of the device where that is a card.
// options.memory_bytes is that of the device.
MemoryBytes memory_budget(const TrainOptions& options, const Backend& backend, const Place& place);

}  // namespace dk
