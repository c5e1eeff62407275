// What follows batch norm in the same pass over memory (backend/backend.h, NormTail): a max pooling whose windows lie side by
// side, an upsampling. Forward, applying the norm writes the tail's output; backward, the tail's delta is read where the norm's
// own would be. The results have the bits of two passes: what would have been stored in between is rounded as storing does.
#pragma once

#include "backend/backend.h"
#include "cuda/context.h"
#include "cuda/pool_choice.h"
#include "cuda/view.h"

namespace dk::cuda {

// A position among h x w places, in 32 bits: dividing by 64 is slow.
struct Spot {
  unsigned image, y, x;
};

__device__ __forceinline__ Spot spot_of(int64_t place, int h, int w) {
  const unsigned p = static_cast<unsigned>(place), row = p / static_cast<unsigned>(w);
  return Spot{row / static_cast<unsigned>(h), row % static_cast<unsigned>(h), p % static_cast<unsigned>(w)};
}

template <class T>
__device__ __forceinline__ float as_stored(float value) {
  T stored;
  store_one(&stored, value);
  return to_float(stored);
}

// The delta of batch norm's output at a place: what is there, or what comes back through the tail.
template <class T>
__device__ __forceinline__ Lanes delta_at(const View<T>& delta, int64_t place, int vector) {
  return load(delta.at(place, vector));
}

template <class T>
struct PooledDelta {
  View<T> delta;
  const Choices<uint8_t>* index;
  int size, h, w;  // of a window; of the places before pooling
};

template <class T>
__device__ __forceinline__ Lanes delta_at(const PooledDelta<T>& pooled, int64_t place, int vector) {
  const Spot spot = spot_of(place, pooled.h, pooled.w);
  const unsigned size = static_cast<unsigned>(pooled.size), y = spot.y / size, x = spot.x / size;
  const int64_t window = (static_cast<int64_t>(spot.image) * pooled.delta.h + y) * pooled.delta.w + x;
  const unsigned here = (spot.y - y * size) * size + (spot.x - x * size);
  const Choices<uint8_t> choice = pooled.index[window * pooled.delta.vectors + vector];
  Lanes delta = load(pooled.delta.at(window, vector));
  for (int i = 0; i < kLanes; ++i) delta.v[i] = choice.v[i] == here ? delta.v[i] : 0.0f;
  return delta;
}

template <class T>
struct UpsampledDelta {
  View<T> delta;
  int stride;
  float scale;
  int h, w;  // before upsampling
};

template <class T>
__device__ __forceinline__ Lanes delta_at(const UpsampledDelta<T>& up, int64_t place, int vector) {
  const Spot spot = spot_of(place, up.h, up.w);
  const int64_t first = (static_cast<int64_t>(spot.image) * up.delta.h + spot.y * up.stride) * up.delta.w +
                        spot.x * static_cast<unsigned>(up.stride);
  Lanes sum = zeros();
#pragma unroll 1  // the register file is for the gradient
  for (int dy = 0; dy < up.stride; ++dy)
#pragma unroll 1
    for (int dx = 0; dx < up.stride; ++dx) {
      const Lanes delta = load(up.delta.at(first + static_cast<int64_t>(dy) * up.delta.w + dx, vector));
      for (int i = 0; i < kLanes; ++i) sum.v[i] += delta.v[i];
    }
  for (int i = 0; i < kLanes; ++i) sum.v[i] = as_stored<T>(sum.v[i] * up.scale);
  return sum;
}

// body(delta source) with the type that fits.
template <class T, class Body>
void with_tail_delta(const NormTail& tail, const Tensor& dout, const Tensor& x, const Body& body) {
  if (tail.kind == NormTail::Kind::max_pool) {
    body(PooledDelta<T>{make_view<T>(dout), static_cast<const Choices<uint8_t>*>(tail.index), tail.pool.size, x.h, x.w});
  } else {
    body(UpsampledDelta<T>{make_view<T>(dout), tail.stride, tail.scale, x.h, x.w});
  }
}

bool fuses_tail(const NormTail& tail, Activation act, int h, int w);

// out = tail(act(gamma * (x - mean)/sqrt(variance + eps) + beta)) with the statistics in bn.
void apply_with_tail(const Context& context, const Tensor& x, const BatchNormArrays& bn, Activation act, const NormTail& tail,
                     const Tensor& out);

}  // namespace dk::cuda
