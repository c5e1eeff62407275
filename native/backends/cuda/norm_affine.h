// What kernels of batch norm need of eight channels: z = (x - mean) * inverse, a = gamma * z + beta.
#pragma once

#include <cmath>

#include "backend/backend.h"
#include "cuda/element.h"

namespace dk::cuda {

__device__ __forceinline__ float inverse_deviation(float variance) { return 1.0f / sqrtf(variance + kBatchNormEpsilon); }

struct Affine {
  Lanes mean, scale, beta;  // scale = gamma * inverse
};

__device__ __forceinline__ Affine load_affine(const float* gamma, const float* beta, const float* mean, const float* variance,
                                              int vector) {
  Affine affine;
  affine.mean = load(mean + vector * kLanes);
  affine.beta = load(beta + vector * kLanes);
  const Lanes g = load(gamma + vector * kLanes), spread = load(variance + vector * kLanes);
  for (int i = 0; i < kLanes; ++i) affine.scale.v[i] = g.v[i] * inverse_deviation(spread.v[i]);
  return affine;
}

template <class Act>
__device__ __forceinline__ Lanes normed(const Affine& affine, Lanes value, const Act& act) {
#pragma unroll(Act::kUnroll)
  for (int i = 0; i < kLanes; ++i) value.v[i] = act.value(affine.scale.v[i] * (value.v[i] - affine.mean.v[i]) + affine.beta.v[i]);
  return value;
}

}  // namespace dk::cuda
