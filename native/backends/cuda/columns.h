// How kernels that need something of each channel share out their work: a block is a tile of `width` vectors of channels by
// `height` places; its threads walk down their vector, `height * gridDim.y` places a step, and so load what belongs to the
// channels once. The shape depends on the tensor alone, so sums are taken in the same order on every run and card.
#pragma once

#include <algorithm>

#include "cuda/task.h"
#include "cuda/view.h"

namespace dk::cuda {

struct Columns {
  dim3 grid, block;
};

// steps: places a thread walks over; at most `most` blocks down.
inline Columns columns_for(int64_t places, int vectors, int steps, int most) {
  int width = 1;
  while (width < vectors && width < 32) width *= 2;
  const int height = kBlock / width;
  const int64_t down = std::clamp<int64_t>(ceil_div(places, static_cast<int64_t>(height) * steps), 1, most);
  return {dim3(static_cast<unsigned>(ceil_div(vectors, width)), static_cast<unsigned>(down)),
          dim3(static_cast<unsigned>(width), static_cast<unsigned>(height))};
}

// The most partial sums a channel gets: as many as the scratch holds for both sums.
inline int most_partials(int vectors) {
  return static_cast<int>(std::clamp<int64_t>(kScratchFloats / (2 * kLanes * static_cast<int64_t>(vectors)), 1, 512));
}

struct Column {
  int vector;
  int64_t place, step;
};

__device__ __forceinline__ Column my_column() {
  return Column{static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x),
                static_cast<int64_t>(blockIdx.y) * blockDim.y + threadIdx.y, static_cast<int64_t>(blockDim.y) * gridDim.y};
}

// Adds up `mine` over the rows of the block. Every thread must call it; row 0 gets the sums.
__device__ __forceinline__ Lanes sum_of_rows(const Lanes& mine, float (&shared)[kBlock][kLanes]) {
  const unsigned me = threadIdx.y * blockDim.x + threadIdx.x;
  for (int i = 0; i < kLanes; ++i) shared[me][i] = mine.v[i];
  __syncthreads();
  for (unsigned half = blockDim.y / 2; half > 0; half /= 2) {
    if (threadIdx.y < half)
      for (int i = 0; i < kLanes; ++i) shared[me][i] += shared[me + half * blockDim.x][i];
    __syncthreads();
  }
  Lanes sum;
  for (int i = 0; i < kLanes; ++i) sum.v[i] = shared[threadIdx.x][i];
  __syncthreads();
  return sum;
}

}  // namespace dk::cuda
