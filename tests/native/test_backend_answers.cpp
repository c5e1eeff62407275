// Small known answers, worked out by hand from darknet.md, that every back end must give: geometry of pooling and upsampling,
// convolution with and without padding, statistics of batch norm, the update of parameters, dropout.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "backend_rig.h"
#include "core/status.h"
#include "doctest/doctest.h"
#include "math/dropout.h"

namespace dk::test {
namespace {

using Values = std::vector<float>;

struct Pooled {
  Values out, dsrc;
};

// One image, one channel; delta of the outputs is 1, 2, 3, ...
Pooled pool(Rig& rig, const PoolDesc& desc, int h, int w, const Values& values) {
  const int oh = (h + desc.padding - desc.size) / desc.stride_y + 1, ow = (w + desc.padding - desc.size) / desc.stride_x + 1;
  const Tensor src = rig.with_values({1, 1, h, w}, values), dst = rig.tensor({1, 1, oh, ow}), dsrc = rig.tensor({1, 1, h, w});
  Values delta(static_cast<size_t>(oh) * ow);
  std::iota(delta.begin(), delta.end(), 1.0f);
  const Tensor ddst = rig.with_values({1, 1, oh, ow}, delta);
  void* index = rig.memory(rig.backend().max_pool_index_bytes(desc, dst));
  rig.backend().max_pool(desc, src, dst, index);
  rig.backend().max_pool_backward(desc, ddst, index, dsrc, false);
  return {rig.values(dst), rig.values(dsrc)};
}

// A convolution of one image, all weights given in OIHW order.
Values convolve(Rig& rig, const ConvDesc& desc, const Values& input, const Values& oihw, const Values& bias) {
  Backend& backend = rig.backend();
  const std::unique_ptr<ConvPlan> plan = backend.make_conv(desc);
  float* weights = static_cast<float*>(rig.memory(backend.conv_weight_floats(desc.weights) * 4));
  backend.pack_conv_weights(desc.weights, oihw.data(), weights);
  plan->weights_changed(weights);
  Values padded = bias;
  padded.resize(static_cast<size_t>(padded_channels(desc.weights.oc)));
  const Tensor src = rig.with_values({1, desc.weights.ic, desc.ih, desc.iw}, input);
  const Tensor dst = rig.tensor({1, desc.weights.oc, desc.oh, desc.ow});
  plan->forward(src, weights, rig.floats(padded), nullptr, dst, rig.memory(plan->workspace_bytes()));
  return rig.values(dst);
}

ConvDesc conv_desc(const ConvWeightShape& weights, int h, int w, int stride, int padding, int dilation = 1) {
  ConvDesc d;
  d.weights = weights;
  d.ih = h;
  d.iw = w;
  d.stride_x = d.stride_y = stride;
  d.padding = padding;
  d.dilation = dilation;
  d.oh = (h + 2 * padding - (weights.size - 1) * dilation - 1) / stride + 1;
  d.ow = (w + 2 * padding - (weights.size - 1) * dilation - 1) / stride + 1;
  d.src_buffer_c = weights.ic;
  d.dst_buffer_c = weights.oc;
  return d;
}

}  // namespace

TEST_SUITE("backend answers") {
  TEST_CASE("max pool 2/1 pads right and bottom only, with minus infinity") {
    on_every_backend([](Rig& rig) {
      const Pooled p = pool(rig, {2, 1, 1, 1}, 3, 3, {-1, -2, -3, -4, -9, -6, -7, -8, -5});
      CHECK(p.out == Values{-1, -2, -3, -4, -5, -5, -7, -5, -5});
      CHECK(p.dsrc == Values{1, 2, 3, 4, 0, 0, 7, 0, 5 + 6 + 8 + 9});
    });
  }

  TEST_CASE("max pool 2/2 rounds odd sizes up; of equal values the first in row-major order takes the delta") {
    on_every_backend([](Rig& rig) {
      const Pooled p = pool(rig, {2, 2, 2, 1}, 3, 3, {5, 5, 1, 5, 5, 1, 2, 2, 0});
      CHECK(p.out == Values{5, 1, 2, 0});
      CHECK(p.dsrc == Values{1, 0, 2, 0, 0, 0, 3, 0, 4});
    });
  }

  TEST_CASE("max pool 5/1 is centred") {
    on_every_backend([](Rig& rig) {
      Values values(7, -1.0f);
      values[3] = 9;
      const Pooled row = pool(rig, {5, 1, 1, 4}, 1, 7, values);
      CHECK(row.out == Values{-1, 9, 9, 9, 9, 9, -1});
      CHECK(row.dsrc == Values{1, 0, 0, 2 + 3 + 4 + 5 + 6, 7, 0, 0});
    });
  }

  TEST_CASE("upsampling repeats and scales; its backward sums") {
    on_every_backend([](Rig& rig) {
      const Tensor src = rig.with_values({1, 1, 1, 2}, {1, 2}), dst = rig.tensor({1, 1, 2, 4});
      rig.backend().upsample(src, 2, 3.0f, dst);
      CHECK(rig.values(dst) == Values{3, 3, 6, 6, 3, 3, 6, 6});
      const Tensor ddst = rig.with_values({1, 1, 2, 4}, {1, 2, 3, 4, 5, 6, 7, 8});
      rig.backend().upsample_backward(ddst, 2, 0.5f, src, true);
      CHECK(rig.values(src) == Values{1 + 7, 2 + 11});
    });
  }

  TEST_CASE("convolution does not flip its kernel, pads with zero, adds the bias") {
    on_every_backend([](Rig& rig) {
      const Values input = {1, 2, 3, 4, 5, 6, 7, 8, 9}, kernel = {1, 0, 0, 0, 0, 0, 0, 0, 10};
      CHECK(convolve(rig, conv_desc({1, 1, 3, 1}, 3, 3, 1, 1), input, kernel, {0.5f}) ==
            Values{50.5f, 60.5f, 0.5f, 80.5f, 91.5f, 2.5f, 0.5f, 4.5f, 5.5f});
      CHECK(convolve(rig, conv_desc({1, 1, 3, 1}, 3, 3, 1, 0), input, kernel, {0}) == Values{91});
      CHECK(convolve(rig, conv_desc({1, 1, 3, 1}, 3, 3, 2, 1), input, kernel, {0}) == Values{50, 0, 0, 5});
    });
  }

  TEST_CASE("dilation spreads the kernel in both directions") {
    on_every_backend([](Rig& rig) {
      Values input(25);
      std::iota(input.begin(), input.end(), 0.0f);
      const Values kernel = {1, 0, 10, 0, 0, 0, 100, 0, 1000};
      CHECK(convolve(rig, conv_desc({1, 1, 3, 1}, 5, 5, 1, 0, 2), input, kernel, {0}) == Values{0 + 40 + 2000 + 24000});
      CHECK(convolve(rig, conv_desc({1, 1, 2, 1}, 5, 5, 2, 0, 3), input, {1, 10, 100, 1000}, {0}) ==
            Values{0 + 30 + 1500 + 18000});
    });
  }

  TEST_CASE("groups see their own channels; weights are [out][in of the group][row][column]") {
    on_every_backend([](Rig& rig) {
      const Values input = {1, 10, 100, 1000};  // four channels of one place
      CHECK(convolve(rig, conv_desc({4, 2, 1, 2}, 1, 1, 1, 0), input, {1, 2, 3, 4}, {0, 0}) == Values{21, 4300});
      CHECK(convolve(rig, conv_desc({4, 1, 1, 1}, 1, 1, 1, 0), input, {1, 2, 3, 4}, {0}) == Values{4321});
    });
  }

  TEST_CASE("a fused convolution is convolution, bias, activation, residual") {
    on_every_backend([](Rig& rig) {
      Backend& backend = rig.backend();
      ConvDesc desc = conv_desc({5, 7, 3, 1}, 6, 8, 1, 1);
      float* weights = static_cast<float*>(rig.memory(backend.conv_weight_floats(desc.weights) * 4));
      backend.pack_conv_weights(desc.weights, rig.draw(desc.weights.count()).data(), weights);
      const Tensor src = rig.tensor({1, 5, 6, 8}), residual = rig.tensor({1, 7, 6, 8});
      const Tensor plain = rig.tensor({1, 7, 6, 8}), fused = rig.tensor({1, 7, 6, 8});
      const float* bias = rig.channels(7);
      const auto run = [&](const float* with_bias, const Tensor& out) {
        const std::unique_ptr<ConvPlan> plan = backend.make_conv(desc);
        plan->weights_changed(weights);
        void* workspace = rig.memory(plan->workspace_bytes());
        plan->forward(src, weights, with_bias, desc.fused_residual ? &residual : nullptr, out, workspace);
      };
      run(nullptr, plain);
      backend.bias_activation(plain, bias, Activation::mish, &residual, plain);
      desc.fused_activation = Activation::mish;
      desc.fused_residual = true;
      desc.residual_buffer_c = 7;
      run(bias, fused);
      CHECK(relative_error(rig.values(fused), rig.values(plain)) < 2e-6);
    });
  }

  TEST_CASE("copies scale, and place channels where they are told") {
    on_every_backend([](Rig& rig) {
      const Tensor src = rig.with_values({1, 3, 1, 2}, {1, 2, 3, 4, 5, 6}), same = rig.tensor({1, 3, 1, 2});
      rig.backend().copy(src, same, -0.5f, false);
      CHECK(rig.values(same) == Values{-0.5f, -1, -1.5f, -2, -2.5f, -3});
      const Tensor dst = rig.with_values({1, 4, 1, 2}, {10, 10, 20, 20, 30, 30, 40, 40});
      rig.backend().copy_channels(src, 1, dst, 2, 2, false);
      CHECK(rig.values(dst) == Values{10, 10, 20, 20, 3, 4, 5, 6});
      rig.backend().copy_channels(src, 0, dst, 1, 1, true);
      CHECK(rig.values(dst) == Values{10, 10, 21, 22, 3, 4, 5, 6});
    });
  }

  TEST_CASE("products") {
    on_every_backend([](Rig& rig) {
      const Tensor a = rig.with_values({1, 2, 1, 2}, {1, 2, 3, 4}), b = rig.with_values({1, 2, 1, 2}, {5, 6, 7, 8});
      const Tensor scalar = rig.with_values({1, 2, 1, 1}, {10, 100}), out = rig.tensor({1, 2, 1, 2});
      rig.backend().multiply(a, b, out, false);
      CHECK(rig.values(out) == Values{5, 12, 21, 32});
      rig.backend().multiply(a, scalar, out, false);
      CHECK(rig.values(out) == Values{10, 20, 300, 400});
      rig.backend().multiply_reduce(a, b, scalar, false);
      CHECK(rig.values(scalar) == Values{17, 53});
      rig.backend().global_average_pool(b, scalar);
      CHECK(rig.values(scalar) == Values{5.5f, 7.5f});
    });
  }

  TEST_CASE("batch norm: biased variance normalises, the unbiased one is rolled, 1 part in 100") {
    on_every_backend([](Rig& rig) {
      const Tensor x = rig.with_values({2, 1, 1, 2}, {1, 2, 4, 9}), out = rig.tensor({2, 1, 1, 2});
      BatchNormArrays bn;
      Values gamma(16), beta(16), rolling_mean(16), rolling_variance(16);
      gamma[0] = 2;
      beta[0] = 0.5f;
      rolling_mean[0] = 3;
      rolling_variance[0] = 5;
      bn.gamma = rig.floats(gamma);
      bn.beta = rig.floats(beta);
      bn.rolling_mean = rig.floats(rolling_mean);
      bn.rolling_variance = rig.floats(rolling_variance);
      bn.mean = rig.channels(1);
      bn.variance = rig.channels(1);
      rig.backend().batch_norm_train(x, bn, Activation::linear, nullptr, out);
      CHECK(rig.read(bn.mean, 1)[0] == doctest::Approx(4.0));
      CHECK(rig.read(bn.variance, 1)[0] == doctest::Approx(9.5));
      CHECK(rig.read(bn.rolling_mean, 1)[0] == doctest::Approx(0.99 * 3 + 0.01 * 4));
      CHECK(rig.read(bn.rolling_variance, 1)[0] == doctest::Approx(0.99 * 5 + 0.01 * 38.0 / 3));
      const double scale = 2 / std::sqrt(9.5 + 1e-5);
      const Values expected = {static_cast<float>(-3 * scale + 0.5), static_cast<float>(-2 * scale + 0.5), 0.5f,
                               static_cast<float>(5 * scale + 0.5)};
      CHECK(relative_error(rig.values(out), expected) < 1e-6);
    });
  }

  TEST_CASE("rolling statistics that start at 0 reach 1 - 0.99^k of a steady value") {
    on_every_backend([](Rig& rig) {
      const Tensor x = rig.with_values({1, 1, 2, 2}, {2, 2, 4, 4}), out = rig.tensor({1, 1, 2, 2});
      BatchNormArrays bn;
      bn.gamma = rig.channels(1);
      bn.beta = rig.channels(1);
      for (float** array : {&bn.mean, &bn.variance, &bn.rolling_mean, &bn.rolling_variance}) *array = rig.channels(1, 0, 0);
      for (int k = 0; k < 50; ++k) rig.backend().batch_norm_train(x, bn, Activation::mish, nullptr, out);
      const double share = 1 - std::pow(0.99, 50);
      CHECK(rig.read(bn.rolling_mean, 1)[0] == doctest::Approx(share * 3).epsilon(1e-5));
      CHECK(rig.read(bn.rolling_variance, 1)[0] == doctest::Approx(share * 4 / 3).epsilon(1e-5));
    });
  }

  TEST_CASE("batch norm of a constant channel stays finite") {
    on_every_backend([](Rig& rig) {
      const Shape shape{1, 1, 1, 4};
      const Tensor x = rig.with_values(shape, {7, 7, 7, 7}), out = rig.tensor(shape), dout = rig.tensor(shape);
      BatchNormArrays bn;
      bn.gamma = rig.channels(1, 1, 1);
      bn.beta = rig.channels(1, 0.25f, 0.25f);
      for (float** array : {&bn.mean, &bn.variance, &bn.rolling_mean, &bn.rolling_variance, &bn.dgamma, &bn.dbeta})
        *array = rig.channels(1, 0, 0);
      rig.backend().batch_norm_train(x, bn, Activation::linear, nullptr, out);
      CHECK(rig.values(out) == Values(4, 0.25f));
      CHECK(rig.read(bn.variance, 1)[0] == 0);
      rig.backend().batch_norm_backward(dout, x, bn, Activation::linear, x);
      for (const float value : rig.values(x)) CHECK(std::isfinite(value));
    });
  }

  // darknet.md 3.1.6, written out in double: decay inside the momentum buffer, which is damped after it was used.
  TEST_CASE("sgd update, three steps") {
    on_every_backend([](Rig& rig) {
      constexpr int kCount = 37;
      constexpr double kRate = 0.01, kMomentum = 0.9, kDecay = 0.004;
      const Values start = rig.draw(kCount);
      std::vector<double> w(start.begin(), start.end()), v(kCount);
      float* weights = rig.floats(start);
      float* buffer = rig.floats(Values(kCount));
      for (int step = 0; step < 3; ++step) {
        const Values g = rig.draw(kCount, -5, 5);
        CHECK(rig.update({{weights, buffer, rig.floats(g), nullptr, kCount, 1, 1, kMomentum, kDecay, 0}}, kRate));
        for (int i = 0; i < kCount; ++i) {
          v[i] = v[i] + g[i] - kDecay * w[i];
          w[i] = w[i] + kRate * v[i];
          v[i] = kMomentum * v[i];
        }
      }
      CHECK(relative_error(rig.read(weights, kCount), Values(w.begin(), w.end())) < 1e-6);
      CHECK(relative_error(rig.read(buffer, kCount), Values(v.begin(), v.end())) < 1e-6);
    });
  }

  TEST_CASE("sgd update clips, and tells when a weight is not finite, wherever it is") {
    on_every_backend([](Rig& rig) {
      float* w = rig.floats({0.5f, -0.5f, 0.125f});
      float* v = rig.floats(Values(3));
      CHECK(rig.update({{w, v, rig.floats({1000, -1000, 1}), nullptr, 3, 1, 1, 0.9f, 0, 0.75f}}, 0.01f));
      CHECK(rig.read(w, 3)[0] == 0.75f);
      CHECK(rig.read(w, 3)[1] == -0.75f);
      CHECK(rig.read(w, 3)[2] == doctest::Approx(0.135));
      for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()})
        for (const int place : {0, 511, 1000, 1002}) {
          Values g(1003, 1.0f);
          g[place] = bad;
          SgdArgs good, one;
          for (SgdArgs* array : {&good, &one}) {
            array->w = rig.floats(Values(1003, 0.5f)), array->v = rig.floats(Values(1003)), array->count = 1003;
            array->g = rig.floats(array == &one ? g : Values(1003, 1.0f));
          }
          CHECK_FALSE(rig.update({good, one, good}, 0.01f));
          CHECK(rig.update({good}, 0.01f));
        }
    });
  }

  TEST_CASE("moving average") {
    on_every_backend([](Rig& rig) {
      float* ema = rig.floats({1, -2});
      SgdArgs array{rig.floats({3, 4}), nullptr, nullptr, ema, 2};
      CHECK(rig.update({array}, 1.0f, 0.75f));
      CHECK(rig.read(ema, 2) == Values{1.5f, -0.5f});
      CHECK(rig.read(array.w, 2) == Values{3, 4});
      CHECK(rig.update({array}, 1.0f, 0.0f));
      CHECK(rig.read(ema, 2) == Values{3, 4});
    });
  }

  TEST_CASE("dropout keeps about 1 - p of the values, scaled so that the mean stays, the same ones each time") {
    on_every_backend([](Rig& rig) {
      const Shape shape{2, 32, 40, 40};
      const Tensor ones = rig.tensor(shape), a = rig.tensor(shape), b = rig.tensor(shape);
      rig.backend().fill(ones, 1.0f);
      rig.backend().dropout(ones, 0.2f, 5, 7, rig.step({100}), a, false);
      rig.backend().dropout(ones, 0.2f, 5, 7, rig.step({100}), b, false);
      CHECK(rig.values(a) == rig.values(b));
      double kept = 0;
      for (const float value : rig.values(a)) {
        REQUIRE((value == 0 || value == doctest::Approx(1.25)));
        kept += value != 0;
      }
      CHECK(kept / static_cast<double>(a.count()) == doctest::Approx(0.8).epsilon(0.006));  // 102,400 values: 4 sigma
      rig.backend().dropout(ones, 0.2f, 5, 7, rig.step({101}), b, false);
      CHECK(rig.values(a) != rig.values(b));
      rig.backend().dropout(ones, 0.2f, 5, 8, rig.step({100}), b, false);
      CHECK(rig.values(a) != rig.values(b));
    });
  }

  TEST_CASE("the dropout mask goes by the element's place in NCHW order") {
    on_every_backend([](Rig& rig) {
      const Tensor src = rig.tensor({2, 21, 3, 5}, {16, 0}, 1, 2), dst = rig.tensor({2, 21, 3, 5});
      rig.backend().dropout(src, 0.5f, 5, 7, rig.step({100}), dst, false);
      const Values in = rig.values(src), out = rig.values(dst);
      int wrong = 0;
      for (size_t i = 0; i < in.size(); ++i)
        wrong += out[i] != (dropout_keeps(dropout_block(5, 100, 7, i / 4).v[i % 4], 0.5f) ? 2 * in[i] : 0);
      CHECK(wrong == 0);
    });
  }

  TEST_CASE("memory is zeroed and aligned, also when it was used before") {
    on_every_backend([](Rig& rig) {
      Backend& backend = rig.backend();
      for (const int64_t bytes : {0, 1, 63, 4096, 70000}) {
        for (int turn = 0; turn < 2; ++turn) {
          void* memory = backend.allocate(bytes);
          CHECK(reinterpret_cast<uintptr_t>(memory) % 64 == 0);
          std::vector<unsigned char> host(static_cast<size_t>(bytes) + 1, 0);
          std::fill_n(host.begin(), bytes, 1);
          backend.download(host.data(), memory, bytes);
          CHECK(std::accumulate(host.begin(), host.end(), 0) == 0);
          std::fill(host.begin(), host.end(), 0xab);
          backend.upload(memory, host.data(), bytes);
          backend.release(memory);
        }
      }
    });
  }
}

}  // namespace dk::test
