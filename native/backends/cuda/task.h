// Which single task a thread has, in kernels launched over blocks_for(tasks).
#pragma once

#include "cuda/context.h"

namespace dk::cuda {

__device__ __forceinline__ int64_t task_index() { return static_cast<int64_t>(blockIdx.x) * kBlock + threadIdx.x; }

}  // namespace dk::cuda
