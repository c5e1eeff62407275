// The CUDA back end: channels last in vectors of eight, cuDNN's convolutions, own kernels for everything else.
#pragma once

#include <memory>
#include <string>

#include "backend/backend.h"

namespace dk {

// device: its number. deterministic: no operation whose sums depend on the order in which blocks run. Throws Error(device) where
// it can't be used.
std::unique_ptr<Backend> make_cuda_backend(int device, bool deterministic = false);

}  // namespace dk
