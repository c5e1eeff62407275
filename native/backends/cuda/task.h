// Which single task a thread has, in kernels launched over blocks_for(tasks).
#pragma once

#include "cuda/context.h"
#include "cuda/view.h"

namespace dk::cuda {

// A task for each vector of each place.
template <class T>
dim3 blocks_for_vectors(const View<T>& view) {
  return blocks_for(view.places * view.vectors);
}

__device__ __forceinline__ int64_t task_index() { return static_cast<int64_t>(blockIdx.x) * kBlock + threadIdx.x; }

}  // namespace dk::cuda
