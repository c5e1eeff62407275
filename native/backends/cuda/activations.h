// Activations as kernels compute them: the common ones with their kind known to the compiler, the rest through the shared text
// (math/activation.h), which is the yardstick of all.
//
// With e = exp(x) and n = e (e + 2): tanh(softplus(x)) = n / (n + 2), so that mish needs one exponential. Its slope is
// t + x (1 - t^2) sigmoid(x), where (1 - t^2) sigmoid(x) = 4 e (e + 1) / (n + 2)^2 has no cancellation. Above 20, t is 1 in
// float.
#pragma once

#include "cuda/platform.h"
#include "math/activation.h"

namespace dk::cuda {

constexpr float kMishLinearFrom = 20.0f;

__host__ __device__ __forceinline__ float mish(float x) {
  if (x > kMishLinearFrom) return x;
  const float e = expf(x), n = e * (e + 2.0f);
  return x * (n / (n + 2.0f));
}

__host__ __device__ __forceinline__ float mish_slope(float x) {
  if (x > kMishLinearFrom) return 1.0f;
  const float e = expf(x), n = e * (e + 2.0f), inverse = 1.0f / (n + 2.0f);
  return n * inverse + x * (4.0f * e * (e + 1.0f) * inverse * inverse);
}

// A kernel's activation: `kind` is a constant, or `runtime` below for those that are rarely met.
struct ActivationOf {
  template <Activation kind>
  struct Known {
    static constexpr int kUnroll = 8;
    __host__ __device__ __forceinline__ float value(float x) const {
      if constexpr (kind == Activation::mish) return mish(x);
      return activate(kind, x);
    }
    __host__ __device__ __forceinline__ float slope(float x) const {
      if constexpr (kind == Activation::mish) return mish_slope(x);
      return activation_slope(kind, x);
    }
  };
  struct Any {
    static constexpr int kUnroll = 1;  // a switch for each lane side by side would need more registers than there are
    Activation kind;
    __host__ __device__ __forceinline__ float value(float x) const { return activate(kind, x); }
    __host__ __device__ __forceinline__ float slope(float x) const { return activation_slope(kind, x); }
  };
};

// Of batch-normalised layers in Darknet's networks.
constexpr bool is_common(Activation kind) { return kind == Activation::leaky || kind == Activation::mish; }

// body(activation) with the type that fits, for the common ones.
template <class Body>
void with_common_activation(Activation kind, const Body& body) {
  if (kind == Activation::leaky) return body(ActivationOf::Known<Activation::leaky>{});
  body(ActivationOf::Known<Activation::mish>{});
}

// The same for all.
template <class Body>
void with_activation(Activation kind, const Body& body) {
  if (is_common(kind)) return with_common_activation(kind, body);
  if (kind == Activation::linear) return body(ActivationOf::Known<Activation::linear>{});
  body(ActivationOf::Any{kind});
}

}  // namespace dk::cuda
