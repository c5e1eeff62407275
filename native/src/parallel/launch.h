// The processes that a launcher (mpirun, srun) has started together.
#pragma once

#include <memory>

#include "parallel/communicator.h"

namespace dk {

// How many a launcher says there are; 1 without one.
int launched_processes();

// Which of them this one is, 0 without one.
int launched_rank();

// This process among them, or alone. Throws Error(device) where several were launched and can't find each other: then each would
// train on its own and overwrite the others' files.
std::unique_ptr<Communicator> join_launched();

}  // namespace dk
