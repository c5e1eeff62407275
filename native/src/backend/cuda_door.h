// The CUDA back end as the engine meets it: a library of its own beside the program, opened when it is first asked for.
#pragma once

#include <memory>
#include <vector>

#include "backend/backend.h"
#include "backend/registry.h"

namespace dk {

// The cards, or one unusable "cuda" with the sentence that says why: no library, no card, no cuDNN.
std::vector<DeviceInfo> cuda_devices();

// Throws Error(device) with that sentence.
std::unique_ptr<Backend> open_cuda_device(int index, bool deterministic);

}  // namespace dk
