// Every backward operation of the reference back end against central differences of its forward: for L = sum r .* out with
// drawn r, feeding r as delta must give dL/dx. Linear operations take a large step, where the difference is exact but for
// rounding; the others a step whose truncation error is far below the bound.
#include <cmath>
#include <functional>

#include "backend_rig.h"
#include "doctest/doctest.h"
#include "math/activation.h"
#include "math/philox.h"
#include "reference/reference_backend.h"

namespace dk::test {
namespace {

using Values = std::vector<float>;

double dot(const Values& a, const Values& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

// d loss / d x by central differences; loss(x) gives the whole output already multiplied and summed.
Values differences(Values x, double step, const std::function<double(const Values&)>& loss) {
  Values gradient(x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    const float saved = x[i];
    x[i] = static_cast<float>(saved + step);
    const double above = loss(x), high = x[i];
    x[i] = static_cast<float>(saved - step);
    gradient[i] = static_cast<float>((above - loss(x)) / (high - x[i]));
    x[i] = saved;
  }
  return gradient;
}

// Moves every value that lies within 0.05 of a kink of an activation (-2, -1, 0, 1, 6) to 0.05 beside it.
Values away_from_kinks(Values x) {
  for (float& value : x)
    for (const float kink : {-2.0f, -1.0f, 0.0f, 1.0f, 6.0f})
      if (std::fabs(value - kink) < 0.05f) value = value < kink ? kink - 0.05f : kink + 0.05f;
  return x;
}

struct Fixture {
  std::unique_ptr<Backend> backend = make_reference_backend();
  Rig rig{*backend};
};

// A linear operation on tensors: `backward` is the transpose of `forward`.
void check_linear(const Shape& in, const Shape& out, const std::function<void(Backend&, const Tensor&, const Tensor&)>& forward,
                  const std::function<void(Backend&, const Tensor&, const Tensor&)>& backward) {
  Fixture f;
  const Tensor x = f.rig.tensor(in), y = f.rig.tensor(out), delta = f.rig.tensor(out), dx = f.rig.tensor(in);
  const Values r = f.rig.values(delta);
  const Values expected = differences(f.rig.values(x), 0.5, [&](const Values& values) {
    f.rig.set(x, values);
    forward(*f.backend, x, y);
    return dot(f.rig.values(y), r);
  });
  backward(*f.backend, delta, dx);
  CHECK(relative_error(f.rig.values(dx), expected) < 2e-6);
}

ConvDesc small_conv(int groups, int dilation) {
  ConvDesc d;
  d.weights = {4, 6, 3, groups};
  d.n = 2;
  d.ih = 7;
  d.iw = 6;
  d.stride_x = 2;
  d.padding = dilation;
  d.dilation = dilation;
  d.oh = (d.ih + 2 * d.padding - 2 * dilation - 1) / d.stride_y + 1;
  d.ow = (d.iw + 2 * d.padding - 2 * dilation - 1) / d.stride_x + 1;
  d.training = true;
  return d;
}

void check_conv(int groups, int dilation) {
  const ConvDesc d = small_conv(groups, dilation);
  Fixture f;
  const std::unique_ptr<ConvPlan> plan = f.backend->make_conv(d);
  void* workspace = f.rig.memory(plan->workspace_bytes());
  const Values weights = f.rig.draw(d.weights.count());
  check_linear(
      {d.n, 4, d.ih, d.iw}, {d.n, 6, d.oh, d.ow},
      [&](Backend&, const Tensor& x, const Tensor& y) { plan->forward(x, weights.data(), nullptr, nullptr, y, workspace); },
      [&](Backend&, const Tensor& delta, const Tensor& dx) { plan->backward_data(delta, weights.data(), dx, false, workspace); });
  const Tensor x = f.rig.tensor({d.n, 4, d.ih, d.iw}), y = f.rig.tensor({d.n, 6, d.oh, d.ow});
  const Tensor delta = f.rig.tensor({d.n, 6, d.oh, d.ow});
  const Values r = f.rig.values(delta);
  const Values expected = differences(weights, 0.5, [&](const Values& values) {
    plan->forward(x, values.data(), nullptr, nullptr, y, workspace);
    return dot(f.rig.values(y), r);
  });
  Values gradient(weights.size());
  plan->backward_weights(x, delta, gradient.data(), false, workspace);
  CHECK(relative_error(gradient, expected) < 2e-6);
}

// The arrays of a batch norm of `c` channels, with gamma and beta as given.
struct BatchNorm {
  BatchNormArrays arrays;
  float *gamma, *beta;

  BatchNorm(Rig& rig, int c) : gamma(rig.channels(c, 0.5f, 1.5f)), beta(rig.channels(c)) {
    arrays.gamma = gamma;
    arrays.beta = beta;
    for (float** array :
         {&arrays.mean, &arrays.variance, &arrays.rolling_mean, &arrays.rolling_variance, &arrays.dgamma, &arrays.dbeta})
      *array = rig.channels(c, 0, 0);
  }
};

void check_batch_norm(Activation activation, const Shape& shape) {
  INFO(activation_name(activation));
  Fixture f;
  BatchNorm bn(f.rig, shape.c);
  const Tensor x = f.rig.tensor(shape, {}, -1, 3), y = f.rig.tensor(shape);
  const Tensor delta = f.rig.tensor(shape), dx = f.rig.tensor(shape);
  const Values r = f.rig.values(delta), start = f.rig.values(x);
  const auto loss = [&] {
    f.backend->batch_norm_train(x, bn.arrays, activation, nullptr, y);
    return dot(f.rig.values(y), r);
  };
  const Values expected = differences(start, 0.01, [&](const Values& values) {
    f.rig.set(x, values);
    return loss();
  });
  f.rig.set(x, start);
  const auto parameter_differences = [&](float* parameters) {
    return differences(f.rig.read(parameters, shape.c), 0.01, [&](const Values& values) {
      f.backend->upload(parameters, values.data(), shape.c * 4);
      return loss();
    });
  };
  const Values gamma = f.rig.read(bn.gamma, shape.c), beta = f.rig.read(bn.beta, shape.c);
  const Values expected_gamma = parameter_differences(bn.gamma);
  f.backend->upload(bn.gamma, gamma.data(), shape.c * 4);
  const Values expected_beta = parameter_differences(bn.beta);
  f.backend->upload(bn.beta, beta.data(), shape.c * 4);
  loss();
  f.backend->batch_norm_backward(delta, x, bn.arrays, activation, dx);
  CHECK(relative_error(f.rig.values(dx), expected) < 5e-4);
  CHECK(relative_error(f.rig.read(bn.arrays.dgamma, shape.c), expected_gamma) < 5e-4);
  CHECK(relative_error(f.rig.read(bn.arrays.dbeta, shape.c), expected_beta) < 5e-4);
}

void check_bias_activation(Activation activation) {
  INFO(activation_name(activation));
  const Shape shape{2, 3, 5, 4};
  Fixture f;
  const Values biases = {0.5f, -1.25f, 2.0f};
  Values start = away_from_kinks(f.rig.draw(2 * 3 * 5 * 4, -7, 7));
  for (size_t i = 0; i < start.size(); ++i) start[i] -= biases[i / 20 % 3];
  const Tensor x = f.rig.with_values(shape, start), y = f.rig.tensor(shape);
  const Tensor delta = f.rig.tensor(shape), dx = f.rig.tensor(shape);
  float* bias = f.rig.channels(3);
  f.backend->upload(bias, biases.data(), 3 * 4);
  float* dbias = f.rig.channels(3, 0, 0);
  const Values r = f.rig.values(delta);
  const auto loss = [&] {
    f.backend->bias_activation(x, bias, activation, nullptr, y);
    return dot(f.rig.values(y), r);
  };
  const Values expected = differences(start, 0.02, [&](const Values& values) {
    f.rig.set(x, values);
    return loss();
  });
  f.rig.set(x, start);
  const Values expected_bias = differences(biases, 0.02, [&](const Values& values) {
    f.backend->upload(bias, values.data(), 3 * 4);
    return loss();
  });
  f.backend->upload(bias, biases.data(), 3 * 4);
  f.backend->bias_activation_backward(delta, x, bias, activation, dbias, dx);
  CHECK(relative_error(f.rig.values(dx), expected) < 1e-3);
  CHECK(relative_error(f.rig.read(dbias, 3), expected_bias) < 1e-3);
}

void check_max_pool(const PoolDesc& desc) {
  INFO("size ", desc.size, " stride ", desc.stride_x, " padding ", desc.padding);
  const Shape in{2, 3, 7, 6};
  const Shape out{2, 3, (7 + desc.padding - desc.size) / desc.stride_y + 1, (6 + desc.padding - desc.size) / desc.stride_x + 1};
  Fixture f;
  // Values at distance 1 from one another, in a drawn order, so that a step of 0.25 never changes a maximum.
  Values start(static_cast<size_t>(in.n * in.c * in.h * in.w));
  Draws draws(3, Purpose::noise, 1, 1);
  for (size_t i = 0; i < start.size(); ++i) {
    const size_t other = draws.below(static_cast<uint32_t>(i + 1));
    start[i] = start[other];
    start[other] = static_cast<float>(i);
  }
  const Tensor x = f.rig.with_values(in, start), y = f.rig.tensor(out), delta = f.rig.tensor(out), dx = f.rig.tensor(in);
  const Values r = f.rig.values(delta);
  void* index = f.rig.memory(f.backend->max_pool_index_bytes(desc, y));
  const Values expected = differences(start, 0.25, [&](const Values& values) {
    f.rig.set(x, values);
    f.backend->max_pool(desc, x, y, index);
    return dot(f.rig.values(y), r);
  });
  f.rig.set(x, start);
  f.backend->max_pool(desc, x, y, index);
  f.backend->max_pool_backward(desc, delta, index, dx, false);
  CHECK(relative_error(f.rig.values(dx), expected) < 1e-6);
}

}  // namespace

TEST_SUITE("reference gradients") {
  TEST_CASE("convolution: data and weights") {
    check_conv(1, 1);
    check_conv(2, 1);
    check_conv(1, 2);
  }

  TEST_CASE("batch norm with smooth activations: x, gamma, beta") {
    for (const Activation activation : {Activation::linear, Activation::logistic, Activation::mish, Activation::swish,
                                        Activation::tanh_, Activation::gelu, Activation::loggy})
      check_batch_norm(activation, {2, 3, 4, 5});
    check_batch_norm(Activation::linear, {1, 2, 1, 3});
  }

  // Kinks keep central differences away; but act' only multiplies delta before the linear batch norm's backward.
  TEST_CASE("batch norm with any activation is its linear backward of delta .* slope") {
    for (const Activation activation : kAllActivations) {
      INFO(activation_name(activation));
      const Shape shape{2, 4, 5, 6};
      Fixture f;
      BatchNorm whole(f.rig, 4), linear = whole;
      linear.arrays.dgamma = f.rig.channels(4, 0, 0);
      linear.arrays.dbeta = f.rig.channels(4, 0, 0);
      const Tensor x = f.rig.tensor(shape), before = f.rig.tensor(shape), delta = f.rig.tensor(shape);
      f.backend->batch_norm_train(x, whole.arrays, Activation::linear, nullptr, before);
      Values sloped = f.rig.values(delta);
      const Values inputs = f.rig.values(before);
      for (size_t i = 0; i < sloped.size(); ++i) sloped[i] *= activation_slope(activation, inputs[i]);
      const Tensor through = f.rig.with_values(shape, sloped), dx = f.rig.tensor(shape), expected = f.rig.tensor(shape);
      f.backend->batch_norm_backward(delta, x, whole.arrays, activation, dx);
      f.backend->batch_norm_backward(through, x, linear.arrays, Activation::linear, expected);
      CHECK(relative_error(f.rig.values(dx), f.rig.values(expected)) < 1e-6);
      CHECK(relative_error(f.rig.read(whole.arrays.dgamma, 4), f.rig.read(linear.arrays.dgamma, 4)) < 1e-6);
      CHECK(relative_error(f.rig.read(whole.arrays.dbeta, 4), f.rig.read(linear.arrays.dbeta, 4)) < 1e-6);
    }
  }

  TEST_CASE("bias and every activation: x and bias") {
    for (const Activation activation : kAllActivations) check_bias_activation(activation);
  }

  TEST_CASE("max pooling") {
    for (const PoolDesc& desc : {PoolDesc{2, 2, 2, 1}, PoolDesc{2, 1, 1, 1}, PoolDesc{5, 1, 1, 4}, PoolDesc{3, 2, 1, 2}})
      check_max_pool(desc);
  }

  TEST_CASE("global average pooling, upsampling, copies") {
    check_linear(
        {2, 3, 5, 4}, {2, 3, 1, 1}, [](Backend& b, const Tensor& x, const Tensor& y) { b.global_average_pool(x, y); },
        [](Backend& b, const Tensor& delta, const Tensor& dx) { b.global_average_pool_backward(delta, dx, false); });
    check_linear(
        {2, 3, 3, 4}, {2, 3, 6, 8}, [](Backend& b, const Tensor& x, const Tensor& y) { b.upsample(x, 2, 0.5f, y); },
        [](Backend& b, const Tensor& delta, const Tensor& dx) { b.upsample_backward(delta, 2, 0.5f, dx, false); });
    check_linear(
        {2, 3, 3, 4}, {2, 3, 3, 4}, [](Backend& b, const Tensor& x, const Tensor& y) { b.copy(x, y, 0.25f, false); },
        [](Backend& b, const Tensor& delta, const Tensor& dx) { b.copy(delta, dx, 0.25f, false); });
  }

  // d(a .* b)/da = delta .* b; for b per channel, d/db sums delta .* a over places: multiply_reduce.
  TEST_CASE("products: both factors, of equal shape and per channel") {
    Fixture f;
    const Shape shape{2, 3, 4, 5};
    const Tensor factor = f.rig.tensor(shape), scalar = f.rig.tensor({2, 3, 1, 1});
    for (const Tensor& b : {factor, scalar})
      check_linear(
          shape, shape, [&](Backend& be, const Tensor& x, const Tensor& y) { be.multiply(x, b, y, false); },
          [&](Backend& be, const Tensor& delta, const Tensor& dx) { be.multiply(delta, b, dx, false); });
    check_linear(
        {2, 3, 1, 1}, shape, [&](Backend& be, const Tensor& x, const Tensor& y) { be.multiply(factor, x, y, false); },
        [&](Backend& be, const Tensor& delta, const Tensor& dx) { be.multiply_reduce(factor, delta, dx, false); });
  }

  TEST_CASE("dropout is its own transpose") {
    const auto drop = [](Backend& b, const Tensor& x, const Tensor& y) {
      const StepValues step{2};
      b.dropout(x, 0.4f, 9, 1, &step, y, false);
    };
    check_linear({2, 3, 5, 4}, {2, 3, 5, 4}, drop, drop);
  }
}

}  // namespace dk::test
