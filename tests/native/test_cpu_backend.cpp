// What is the CPU back end's own: lanes beyond the channels, its activations against double, sums that neither threads nor
// large means disturb, bf16 rounding, stored weights, the choice of kernels, and the way of processors without AVX-512.
// That its operations are right in general is test_backend_ops.cpp's question.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "backend_cases.h"
#include "core/status.h"
#include "cpu/cpu_backend.h"
#include "cpu/cpu_conv.h"
#include "doctest/doctest.h"
#include "reference/reference_backend.h"

namespace dk::test {
namespace {

int block_of(const Backend& backend) { return backend.channel_granularity(); }

// Values of lanes beyond the channels that are not zero; a tensor's memory is [n][blocks][h][w][block].
int64_t nonzero_padding(const Backend& backend, const Tensor& t) {
  const int64_t block = block_of(backend), blocks = (t.buffer_c + block - 1) / block, places = static_cast<int64_t>(t.h) * t.w;
  const int64_t size = dtype_bytes(t.dtype);
  int64_t found = 0;
  for (int64_t vector = 0; vector < t.n * blocks * places; ++vector)
    for (int64_t lane = 0; lane < block; ++lane) {
      if (vector / places % blocks * block + lane < t.buffer_c) continue;
      const char* value = static_cast<const char*>(t.data) + (vector * block + lane) * size;
      found += std::any_of(value, value + size, [](char byte) { return byte != 0; });
    }
  return found;
}

BatchNormArrays batch_norm_of(Rig& rig, int c) {
  BatchNormArrays bn;
  bn.gamma = rig.channels(c, 0.5f, 1.5f);
  bn.beta = rig.channels(c);
  bn.mean = rig.channels(c, 0, 0);
  bn.variance = rig.channels(c, 0, 0);
  bn.rolling_mean = rig.channels(c, 0, 0);
  bn.rolling_variance = rig.channels(c, 0, 0);
  bn.dgamma = rig.channels(c, 0, 0);
  bn.dbeta = rig.channels(c, 0, 0);
  return bn;
}

double exact_activation(Activation a, double x) {
  const double sigmoid = 1 / (1 + std::exp(-x));
  switch (a) {
    case Activation::logistic: return sigmoid;
    case Activation::mish: return x * std::tanh(std::log1p(std::exp(x)));
    case Activation::swish: return x * sigmoid;
    default: FAIL("no exact form"); return 0;
  }
}

ConvDesc conv_desc(int ic, int oc, int size, int stride, int in, int groups = 1) {
  ConvDesc desc;
  desc.weights = {ic, oc, size, groups};
  desc.ih = desc.iw = in;
  desc.padding = size / 2;
  desc.stride_x = desc.stride_y = stride;
  desc.oh = desc.ow = (in + 2 * desc.padding - size) / stride + 1;
  desc.src_buffer_c = ic;
  desc.dst_buffer_c = oc;
  desc.training = true;
  return desc;
}

// Everything a training step of one normalised layer leaves behind, as bits.
std::vector<float> layer_results(Backend& backend, DType dtype, Activation act) {
  Rig rig(backend, dtype, dtype);
  const Shape shape{2, 40, 81, 83};  // planes larger than one run of places
  const Tensor x = rig.tensor(shape), residual = rig.tensor(shape), out = rig.tensor(shape), dout = rig.tensor(shape),
               dx = rig.tensor(shape);
  const BatchNormArrays bn = batch_norm_of(rig, shape.c);
  float* dbias = rig.channels(shape.c, 0, 0);
  backend.batch_norm_train(x, bn, act, &residual, out);
  backend.batch_norm_backward(dout, x, bn, act, dx);
  std::vector<float> all = rig.values(out);
  const auto append = [&](const std::vector<float>& values) { all.insert(all.end(), values.begin(), values.end()); };
  append(rig.values(dx));
  backend.bias_activation_backward(dout, x, bn.beta, act, dbias, dx);
  append(rig.values(dx));
  for (const float* array : {bn.mean, bn.variance, bn.rolling_mean, bn.rolling_variance, bn.dgamma, bn.dbeta, dbias})
    append(rig.read(array, padded_channels(shape.c)));
  return all;
}

}  // namespace

TEST_SUITE("cpu back end") {
  TEST_CASE("lanes beyond the channels stay zero, whatever f(0) is") {
    for (const CpuKernels kernels : {CpuKernels::best, CpuKernels::avx2})
      for (const DType dtype : {DType::f32, DType::bf16}) {
        const std::unique_ptr<Backend> backend = make_cpu_backend(2, kernels);
        if (!backend->supports(dtype)) continue;
        for (const Activation act : kAllActivations) {
          INFO(std::string(activation_name(act)));
          Rig rig(*backend, dtype, DType::bf16);
          const Shape shape{2, 21, 7, 5};
          const Tensor x = rig.tensor(shape), out = rig.tensor(shape), dout = rig.tensor(shape), dx = rig.tensor(shape);
          const BatchNormArrays bn = batch_norm_of(rig, shape.c);
          backend->batch_norm_train(x, bn, act, nullptr, out);
          CHECK(nonzero_padding(*backend, out) == 0);
          backend->batch_norm_backward(dout, x, bn, act, dx);
          CHECK(nonzero_padding(*backend, dx) == 0);
          backend->bias_activation(x, bn.beta, act, &dout, out);
          CHECK(nonzero_padding(*backend, out) == 0);
          backend->bias_activation_backward(dout, x, bn.beta, act, nullptr, dx);
          CHECK(nonzero_padding(*backend, dx) == 0);
          backend->fill(out, 3.0f);
          CHECK(nonzero_padding(*backend, out) == 0);

          ConvDesc desc = conv_desc(21, 21, 3, 1, 6);
          desc.n = 2;
          desc.dtype = dtype;
          desc.training = false;
          desc.fused_activation = act;
          const std::unique_ptr<ConvPlan> plan = backend->make_conv(desc);
          float* weights = static_cast<float*>(rig.memory(backend->conv_weight_floats(desc.weights) * 4));
          backend->pack_conv_weights(desc.weights, rig.draw(desc.weights.count()).data(), weights);
          plan->weights_changed(weights);
          const Tensor in = rig.tensor({2, 21, 6, 6}), result = rig.tensor({2, 21, 6, 6});
          plan->forward(in, weights, bn.beta, nullptr, result, rig.memory(plan->workspace_bytes()));
          CHECK(nonzero_padding(*backend, result) == 0);
        }
      }
  }

  TEST_CASE("a max pooling window outside the image leaves no infinity in the padding") {
    const std::unique_ptr<Backend> backend = make_cpu_backend(2);
    Rig rig(*backend);
    const PoolDesc pool{1, 2, 2, 3};  // offset -1: the first row and column of windows cover nothing
    const Tensor src = rig.tensor({1, 5, 4, 4}), dst = rig.tensor({1, 5, 4, 4});
    backend->max_pool(pool, src, dst, nullptr);
    CHECK(std::isinf(rig.values(dst)[0]));
    CHECK(nonzero_padding(*backend, dst) == 0);
  }

  TEST_CASE("activations agree with double over the whole range") {
    std::vector<float> points;
    for (float x = -87; x <= 87; x += 0.0173f) points.push_back(x);
    for (float x = 1e-30f; x < 1; x *= 3) points.insert(points.end(), {x, -x});
    for (const CpuKernels kernels : {CpuKernels::best, CpuKernels::avx2}) {
      const std::unique_ptr<Backend> backend = make_cpu_backend(2, kernels);
      Rig rig(*backend);
      const Shape shape{1, 1, 1, static_cast<int>(points.size())};
      const Tensor x = rig.with_values(shape, points), out = rig.tensor(shape), ones = rig.tensor(shape);
      for (const Activation act : kAllActivations) {
        INFO(std::string(activation_name(act)));
        backend->bias_activation(x, nullptr, act, nullptr, out);
        const std::vector<float> values = rig.values(out);
        backend->fill(ones, 1.0f);
        backend->bias_activation_backward(ones, x, nullptr, act, nullptr, out);
        const std::vector<float> slopes = rig.values(out);
        double worst = 0, worst_slope = 0, worst_relative = 0;
        for (size_t i = 0; i < points.size(); ++i) {
          const double yardstick = activate(act, points[i]), slope = activation_slope(act, points[i]);
          worst = std::max(worst, std::abs(values[i] - yardstick) / std::max(1.0, std::abs(yardstick)));
          worst_slope = std::max(worst_slope, std::abs(slopes[i] - slope) / std::max(1.0, std::abs(slope)));
          if (act != Activation::mish && act != Activation::swish && act != Activation::logistic) continue;
          const double exact = exact_activation(act, points[i]);
          if (std::abs(exact) > 1e-36) worst_relative = std::max(worst_relative, std::abs(values[i] / exact - 1));
        }
        CHECK(worst < 1e-6);
        CHECK(worst_slope < (act == Activation::gelu ? 3e-6 : 1e-6));  // gelu's 1 - t^2 loses digits in the yardstick too
        CHECK(worst_relative < 1e-6);
      }
    }
  }

  TEST_CASE("activations pass on what is not finite") {
    const std::unique_ptr<Backend> backend = make_cpu_backend(1);
    Rig rig(*backend);
    const float nan = std::nanf(""), infinity = INFINITY;
    const Tensor x = rig.with_values({1, 1, 1, 3}, {nan, infinity, 1e30f}), out = rig.tensor({1, 1, 1, 3}),
                 ones = rig.tensor({1, 1, 1, 3});
    for (const Activation act : kAllActivations) {
      INFO(std::string(activation_name(act)));
      backend->bias_activation(x, nullptr, act, nullptr, out);
      const std::vector<float> values = rig.values(out);
      CHECK(std::isnan(values[0]) == std::isnan(activate(act, nan)));
      const float at_infinity = activate(act, infinity), at_large = activate(act, 1e30f);
      CHECK((values[1] == at_infinity || values[1] == doctest::Approx(at_infinity)));
      CHECK(values[2] == doctest::Approx(at_large));
      backend->fill(ones, 1.0f);
      backend->bias_activation_backward(ones, x, nullptr, act, nullptr, out);
      if (std::isfinite(activation_slope(act, 1e30f))) CHECK(rig.values(out)[2] == doctest::Approx(activation_slope(act, 1e30f)));
    }
  }

  TEST_CASE("normalisation gives the same bits in every run and with any number of threads") {
    for (const DType dtype : {DType::f32, DType::bf16}) {
      const std::unique_ptr<Backend> one = make_cpu_backend(1);
      if (!one->supports(dtype)) continue;
      const std::vector<float> expected = layer_results(*one, dtype, Activation::mish);
      for (const int threads : {1, 2, 3, 5}) {
        const std::unique_ptr<Backend> backend = make_cpu_backend(threads);
        const std::vector<float> actual = layer_results(*backend, dtype, Activation::mish);
        REQUIRE(actual.size() == expected.size());
        CHECK(std::memcmp(actual.data(), expected.data(), actual.size() * sizeof(float)) == 0);
      }
    }
  }

  TEST_CASE("statistics keep their digits far from zero") {
    for (const CpuKernels kernels : {CpuKernels::best, CpuKernels::avx2}) {
      const std::unique_ptr<Backend> backend = make_cpu_backend(2, kernels);
      Rig rig(*backend);
      const Shape shape{3, 2, 120, 97};
      const Tensor x = rig.tensor(shape, {}, 999.5f, 1000.5f), out = rig.tensor(shape);
      const BatchNormArrays bn = batch_norm_of(rig, shape.c);
      backend->batch_norm_train(x, bn, Activation::linear, nullptr, out);
      const std::vector<float> values = rig.values(x), mean = rig.read(bn.mean, 2), variance = rig.read(bn.variance, 2);
      const int64_t places = 120 * 97;
      for (int c = 0; c < 2; ++c) {
        double sum = 0, squares = 0;
        for (int n = 0; n < 3; ++n)
          for (int64_t p = 0; p < places; ++p) sum += values[(n * 2 + c) * places + p];
        const double exact = sum / (3 * places);
        for (int n = 0; n < 3; ++n)
          for (int64_t p = 0; p < places; ++p) squares += std::pow(values[(n * 2 + c) * places + p] - exact, 2);
        CHECK(mean[c] == doctest::Approx(exact).epsilon(1e-7));
        CHECK(variance[c] == doctest::Approx(squares / (3 * places)).epsilon(1e-6));
      }
    }
  }

  TEST_CASE("bf16 rounds to the nearest, ties to even") {
    const std::unique_ptr<Backend> backend = make_cpu_backend(2);
    if (!backend->supports(DType::bf16)) return;
    Rig rig(*backend, DType::bf16, DType::f32);
    std::vector<float> values = rig.draw(2 * 19 * 6 * 7, -3, 3);
    values[0] = 1.00390625f;  // half way between two bf16 numbers: to the even one below
    values[1] = 1.01171875f;  // and above
    for (const bool planar : {false, true}) {
      const Tensor t = planar ? rig.planar({2, 19, 6, 7}) : rig.tensor({2, 19, 6, 7});
      rig.set(t, values);
      const std::vector<float> stored = rig.values(t);
      CHECK(stored[0] == 1.0f);
      CHECK(stored[1] == 1.015625f);
      int different = 0;
      for (size_t i = 0; i < values.size(); ++i) different += stored[i] != round_to_bf16(values[i]);
      CHECK(different == 0);
    }
  }

  TEST_CASE("gradients leave the unused places of stored weights zero") {
    for (const CpuKernels kernels : {CpuKernels::best, CpuKernels::avx2})
      for (const int groups : {1, 2, 4, 12}) {
        const std::unique_ptr<Backend> backend = make_cpu_backend(2, kernels);
        INFO(groups, " groups");
        Rig rig(*backend);
        const ConvDesc desc = conv_desc(12, 24, 3, 1, 8, groups);
        const std::unique_ptr<ConvPlan> plan = backend->make_conv(desc);
        const int64_t count = backend->conv_weight_floats(desc.weights);
        const std::vector<float> ones(static_cast<size_t>(desc.weights.count()), 1.0f);
        float* used = static_cast<float*>(rig.memory(count * 4));
        float* gradient = static_cast<float*>(rig.memory(count * 4));
        backend->pack_conv_weights(desc.weights, ones.data(), used);
        CHECK(std::count(used, used + count, 1.0f) == desc.weights.count());
        const Tensor src = rig.tensor({1, 12, 8, 8}), ddst = rig.tensor({1, 24, 8, 8});
        plan->backward_weights(src, ddst, gradient, false, rig.memory(plan->workspace_bytes()));
        int64_t stray = 0, missing = 0;
        for (int64_t i = 0; i < count; ++i) {
          stray += used[i] == 0 && gradient[i] != 0;
          missing += used[i] != 0 && gradient[i] == 0;
        }
        CHECK(stray == 0);
        CHECK(missing == 0);
      }
  }

  TEST_CASE("every convolution of both networks gets generated code") {
    const int shapes[][4] = {{3, 16, 3, 1},    {3, 32, 3, 1},    {16, 32, 3, 1},    {32, 64, 3, 1},    {32, 64, 3, 2},
                             {64, 64, 1, 1},   {64, 32, 1, 1},   {128, 64, 1, 1},   {64, 128, 3, 2},   {64, 64, 3, 1},
                             {64, 128, 3, 1},  {128, 256, 3, 1}, {128, 256, 3, 2},  {256, 128, 1, 1},  {128, 128, 3, 1},
                             {256, 512, 3, 2}, {256, 512, 3, 1}, {512, 1024, 3, 1}, {512, 1024, 3, 2}, {1024, 512, 1, 1},
                             {512, 255, 1, 1}, {384, 256, 3, 1}, {1024, 255, 1, 1}, {2048, 512, 1, 1}};
    for (const CpuKernels kernels : {CpuKernels::best, CpuKernels::avx2})
      for (const DType dtype : {DType::f32, DType::bf16}) {
        const std::unique_ptr<Backend> backend = make_cpu_backend(2, kernels);
        if (!backend->supports(dtype)) continue;
        for (const auto& s : shapes)
          for (const int way : {0, 1, 2, 3}) {  // training or not, whole buffers or slices of wider ones
            const bool training = way % 2 == 1;
            ConvDesc desc = conv_desc(s[0], s[1], s[2], s[3], 26);
            desc.dtype = dtype;
            desc.src_planar = s[0] == 3;
            desc.training = training;
            if (way >= 2) desc.dst_buffer_c = 2 * desc.weights.oc / 16 * 16;
            if (way >= 2 && !desc.src_planar) desc.src_buffer_c *= 2;
            if (!training) desc.fused_activation = Activation::mish;
            const std::unique_ptr<ConvPlan> plan = backend->make_conv(desc);
            const std::vector<std::string> names = cpu::conv_implementations(*plan);
            CHECK(names.size() == (!training ? 1u : s[0] == 3 ? 2u : 4u));
            for (const std::string& name : names) CHECK_MESSAGE(name.rfind("jit", 0) == 0, s[0], " -> ", s[1], ": ", name);
          }
      }
  }

  TEST_CASE("without AVX-512 every operation agrees with the reference too") {
    const std::unique_ptr<Backend> backend = make_cpu_backend(2, CpuKernels::avx2), reference = make_reference_backend();
    CHECK(block_of(*backend) == 8);
    CHECK_FALSE(backend->supports(DType::bf16));
    for (const auto& list : {conv_cases(), norm_cases(), pool_cases(), tensor_cases(), parameter_cases(), chain_cases()})
      for (const OpCase& op : list) {
        INFO(op.name);
        Rig expected(*reference), actual(*backend);
        op.run(expected);
        op.run(actual);
        REQUIRE(expected.results().size() == actual.results().size());
        for (size_t i = 0; i < expected.results().size(); ++i)
          CHECK(relative_error(actual.results()[i].values, expected.results()[i].values) <= op.f32_tolerance);
      }
  }

  TEST_CASE("what can't be done is refused") {
    const std::unique_ptr<Backend> backend = make_cpu_backend(2);
    Rig rig(*backend);
    CHECK_THROWS_AS(backend->allocate(int64_t{1} << 60), Error);
    CHECK_THROWS_AS((void)backend->tensor_bytes(1 << 30, 1 << 30, 1 << 30, 1, DType::f32, false), Error);
    const Tensor a = rig.tensor({1, 16, 4, 4}), b = rig.tensor({1, 16, 4, 5});
    CHECK_THROWS_AS(backend->copy(a, b, 1, false), Error);
    CHECK_THROWS_AS(backend->max_pool({2, 2, 2, 1}, a, b, nullptr), Error);
    Tensor shifted = rig.tensor({1, 32, 4, 4});
    shifted.c = 16;
    shifted.c_offset = 3;
    CHECK_THROWS_AS(backend->fill(shifted, 0), Error);
    ConvDesc desc = conv_desc(16, 16, 3, 1, 8);
    desc.oh = 9;
    CHECK_THROWS_AS(backend->make_conv(desc), Error);
    const std::unique_ptr<ConvPlan> plan = backend->make_conv(conv_desc(16, 16, 3, 1, 8));
    CHECK_THROWS_AS(plan->backward_data(a, nullptr, a, false, nullptr), Error);
  }
}

}  // namespace dk::test
