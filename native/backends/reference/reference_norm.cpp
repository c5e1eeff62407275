// Batch normalisation over n, h, w of the mini-batch, and bias + activation, with their gradients. Sums run in double;
// the activation itself is the shared float function, which is the yardstick.
#include "reference/reference_norm.h"

#include <algorithm>
#include <cmath>

#include "reference/reference_tensor.h"

namespace dk::reference {
namespace {

// Sum of value(image, place) over one channel of t.
template <class Value>
double channel_sum(const Tensor& t, Value value) {
  double sum = 0;
  for (int n = 0; n < t.n; ++n)
    for (int64_t p = 0; p < plane_size(t); ++p) sum += value(n, p);
  return sum;
}

double inverse_deviation(float variance) { return 1.0 / std::sqrt(static_cast<double>(variance) + kBatchNormEpsilon); }

// out = act(scale * (x - mean) + shift) [+ residual] for channel c.
void normalize_channel(const Tensor& x, int c, double mean, double scale, double shift, Activation act, const Tensor* residual,
                       const Tensor& out) {
  for (int n = 0; n < x.n; ++n) {
    const float* in = plane(x, n, c);
    const float* add = residual ? plane(*residual, n, c) : nullptr;
    float* to = plane(out, n, c);
    for (int64_t p = 0; p < plane_size(x); ++p)
      to[p] = activate(act, static_cast<float>(scale * (in[p] - mean) + shift)) + (add ? add[p] : 0.0f);
  }
}

void check_forward(const Tensor& x, const Tensor* residual, const Tensor& out) {
  check_same_shape(x, out);
  if (residual) check_same_shape(*residual, out);
}

}  // namespace

void batch_norm_train(const Tensor& x, const BatchNormArrays& bn, Activation act, const Tensor* residual, const Tensor& out) {
  check_forward(x, residual, out);
  const double count = static_cast<double>(x.n) * plane_size(x);
  for (int c = 0; c < x.c; ++c) {
    const double mean = channel_sum(x, [&](int n, int64_t p) { return plane(x, n, c)[p]; }) / count;
    const double squares = channel_sum(x, [&](int n, int64_t p) {
      const double difference = plane(x, n, c)[p] - mean;
      return difference * difference;
    });
    bn.mean[c] = static_cast<float>(mean);
    bn.variance[c] = static_cast<float>(squares / count);
    bn.rolling_mean[c] = roll(bn.rolling_mean[c], bn.mean[c]);
    bn.rolling_variance[c] = roll(bn.rolling_variance[c], unbiased(bn.variance[c], count));
    normalize_channel(x, c, bn.mean[c], bn.gamma[c] * inverse_deviation(bn.variance[c]), bn.beta[c], act, residual, out);
  }
}

void batch_norm_frozen(const Tensor& x, const BatchNormArrays& bn, Activation act, const Tensor* residual, const Tensor& out) {
  check_forward(x, residual, out);
  for (int c = 0; c < x.c; ++c)
    normalize_channel(x, c, bn.rolling_mean[c], bn.gamma[c] * inverse_deviation(bn.rolling_variance[c]), bn.beta[c], act,
                      residual, out);
}

// With z = (x - mean) * s, s = 1/sqrt(variance + eps), g = dout * act'(gamma z + beta):
// dbeta = sum g, dgamma = sum g z, dx = gamma s (g - mean(g) - z mean(g z)).
void batch_norm_backward(const Tensor& dout, const Tensor& x, const BatchNormArrays& bn, Activation act, const Tensor& dx) {
  check_same_shape(dout, x);
  check_same_shape(x, dx);
  const double count = static_cast<double>(x.n) * plane_size(x);
  for (int c = 0; c < x.c; ++c) {
    const double mean = bn.mean[c], scale = inverse_deviation(bn.variance[c]), gamma = bn.gamma[c], beta = bn.beta[c];
    const auto normal = [&](int n, int64_t p) { return (plane(x, n, c)[p] - mean) * scale; };
    const auto slope = [&](int n, int64_t p, double z) {
      return static_cast<double>(plane(dout, n, c)[p]) * activation_slope(act, static_cast<float>(gamma * z + beta));
    };
    const double sum_g = channel_sum(x, [&](int n, int64_t p) { return slope(n, p, normal(n, p)); });
    const double sum_gz = channel_sum(x, [&](int n, int64_t p) {
      const double z = normal(n, p);
      return slope(n, p, z) * z;
    });
    store(&bn.dbeta[c], sum_g, true);
    store(&bn.dgamma[c], sum_gz, true);
    for (int n = 0; n < x.n; ++n)
      for (int64_t p = 0; p < plane_size(x); ++p) {
        const double z = normal(n, p);
        plane(dx, n, c)[p] = static_cast<float>(gamma * scale * (slope(n, p, z) - sum_g / count - z * sum_gz / count));
      }
  }
}

void bias_activation(const Tensor& x, const float* bias, Activation act, const Tensor* residual, const Tensor& out) {
  check_forward(x, residual, out);
  for (int c = 0; c < x.c; ++c) normalize_channel(x, c, 0.0, 1.0, bias ? bias[c] : 0.0, act, residual, out);
}

void bias_activation_backward(const Tensor& dout, const Tensor& x, const float* bias, Activation act, float* dbias,
                              const Tensor& dx) {
  check_same_shape(dout, x);
  check_same_shape(x, dx);
  for (int c = 0; c < x.c; ++c) {
    const double sum = channel_sum(x, [&](int n, int64_t p) {
      const float value = plane(dout, n, c)[p] * activation_slope(act, plane(x, n, c)[p] + (bias ? bias[c] : 0.0f));
      plane(dx, n, c)[p] = value;
      return value;
    });
    if (dbias) store(&dbias[c], sum, true);
  }
}

}  // namespace dk::reference
