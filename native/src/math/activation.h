// Activations and their gradients (spec darknet.md 3.1.4), one text for host and device. `activate` and
// `activation_slope` are the yardstick; back ends may use faster forms that agree to rounding.
#pragma once

#include <cmath>

#include "math/host_device.h"

namespace dk {

enum class Activation : int {
  linear,
  leaky,
  logistic,
  relu,
  relu6,
  mish,
  swish,
  hard_mish,
  tanh_,
  elu,
  selu,
  gelu,
  loggy,
  ramp,
  relie,
  hardtan,
};

DK_HD float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }

// ln(1 + e^x) with upstream's cut-offs at +-20.
DK_HD float softplus(float x) { return x > 20.0f ? x : x < -20.0f ? expf(x) : logf(expf(x) + 1.0f); }

DK_HD float activate(Activation a, float x) {
  switch (a) {
    case Activation::linear: return x;
    case Activation::leaky: return x > 0 ? x : 0.1f * x;
    case Activation::logistic: return sigmoid(x);
    case Activation::relu: return x > 0 ? x : 0.0f;
    case Activation::relu6: return x < 0 ? 0.0f : x > 6 ? 6.0f : x;
    case Activation::mish: return x * tanhf(softplus(x));
    case Activation::swish: return x * sigmoid(x);
    case Activation::hard_mish: return x > 0 ? x : x > -2 ? x * x / 2 + x : 0.0f;
    case Activation::tanh_: return 2.0f / (1.0f + expf(-2.0f * x)) - 1.0f;
    case Activation::elu: return x >= 0 ? x : expf(x) - 1.0f;
    case Activation::selu: return x >= 0 ? 1.0507f * x : 1.0507f * 1.6732f * (expf(x) - 1.0f);
    case Activation::gelu: return 0.5f * x * (1.0f + tanhf(0.797885f * x + 0.035677f * x * x * x));
    case Activation::loggy: return 2.0f * sigmoid(x) - 1.0f;
    case Activation::ramp: return (x > 0 ? x : 0.0f) + 0.1f * x;
    case Activation::relie: return x > 0 ? x : 0.01f * x;
    case Activation::hardtan: return x < -1 ? -1.0f : x > 1 ? 1.0f : x;
  }
  return x;
}

// df/dx as a function of the input x of the activation.
DK_HD float activation_slope(Activation a, float x) {
  switch (a) {
    case Activation::linear: return 1.0f;
    case Activation::leaky: return x > 0 ? 1.0f : 0.1f;
    case Activation::logistic: {
      const float y = sigmoid(x);
      return y * (1.0f - y);
    }
    case Activation::relu: return x > 0 ? 1.0f : 0.0f;
    case Activation::relu6: return x > 0 && x < 6 ? 1.0f : 0.0f;
    case Activation::mish: {
      const float s = softplus(x), t = tanhf(s);
      return t + x * (1.0f - t * t) * (1.0f - expf(-s));
    }
    case Activation::swish: {
      const float s = sigmoid(x), y = x * s;
      return y + s * (1.0f - y);
    }
    case Activation::hard_mish: return x > 0 ? 1.0f : x > -2 ? x + 1.0f : 0.0f;
    case Activation::tanh_: {
      const float y = activate(a, x);
      return 1.0f - y * y;
    }
    case Activation::elu: return x >= 0 ? 1.0f : expf(x);
    case Activation::selu: return x >= 0 ? 1.0507f : 1.0507f * 1.6732f * expf(x);
    case Activation::gelu: {
      const float u = 0.797885f * x + 0.035677f * x * x * x, t = tanhf(u);
      return 0.5f * (1.0f + t) + 0.5f * x * (1.0f - t * t) * (0.797885f + 3.0f * 0.035677f * x * x);
    }
    case Activation::loggy: {
      const float y = activate(a, x);
      return (1.0f - y * y) / 2.0f;
    }
    case Activation::ramp: return (x > 0 ? 1.0f : 0.0f) + 0.1f;
    case Activation::relie: return x > 0 ? 1.0f : 0.01f;
    case Activation::hardtan: return x > -1 && x < 1 ? 1.0f : 0.0f;
  }
  return 1.0f;
}

}  // namespace dk
