// `accumulate` and the gradients that are always added to, on every back end: with it an operation leaves what was there plus
// what it leaves without it, and without it nothing of what was there.
#include <functional>

#include "backend_rig.h"
#include "doctest/doctest.h"

namespace dk::test {
namespace {

using Values = std::vector<float>;

Values sum(Values a, const Values& b) {
  for (size_t i = 0; i < a.size(); ++i) a[i] += b[i];
  return a;
}

void check_tensor(Rig& rig, const Shape& shape, const std::function<void(const Tensor&, bool)>& operation) {
  const Tensor dst = rig.tensor(shape);
  const Values before = rig.values(dst);
  operation(dst, false);
  const Values alone = rig.values(dst);
  operation(dst, false);
  CHECK(rig.values(dst) == alone);
  rig.set(dst, before);
  operation(dst, true);
  CHECK(relative_error(alone, before) > 1e-3);
  CHECK(relative_error(rig.values(dst), sum(before, alone)) < 1e-6);
}

// operation(array) adds to a per-channel array.
void check_channels(Rig& rig, float* array, int c, const std::function<void()>& operation) {
  const Values before = rig.read(array, c), nothing(static_cast<size_t>(c));
  rig.backend().upload(array, nothing.data(), c * 4);
  operation();
  const Values alone = rig.read(array, c);
  rig.backend().upload(array, before.data(), c * 4);
  operation();
  CHECK(relative_error(rig.read(array, c), sum(before, alone)) < 1e-6);
}

}  // namespace

TEST_SUITE("backend accumulate") {
  TEST_CASE("convolution: data and weights") {
    on_every_backend([](Rig& rig) {
      Backend& backend = rig.backend();
      ConvDesc desc;
      desc.weights = {5, 7, 3, 1};
      desc.n = 2;
      desc.ih = desc.oh = 6;
      desc.iw = desc.ow = 8;
      desc.padding = 1;
      desc.src_buffer_c = 5;
      desc.dst_buffer_c = 7;
      desc.training = desc.adds_src_delta = true;
      const int64_t floats = backend.conv_weight_floats(desc.weights);
      float* weights = static_cast<float*>(rig.memory(floats * 4));
      backend.pack_conv_weights(desc.weights, rig.draw(desc.weights.count()).data(), weights);
      const std::unique_ptr<ConvPlan> plan = backend.make_conv(desc);
      plan->weights_changed(weights);
      void* workspace = rig.memory(plan->workspace_bytes());
      const Tensor src = rig.tensor({2, 5, 6, 8}), ddst = rig.tensor({2, 7, 6, 8});
      check_tensor(rig, {2, 5, 6, 8},
                   [&](const Tensor& dst, bool add) { plan->backward_data(ddst, weights, dst, add, workspace); });
      float* twice = static_cast<float*>(rig.memory(floats * 4));
      plan->backward_weights(src, ddst, twice, false, workspace);
      const Values once = rig.read(twice, floats);
      plan->backward_weights(src, ddst, twice, true, workspace);
      CHECK(relative_error(rig.read(twice, floats), sum(once, once)) < 1e-6);
      plan->backward_weights(src, ddst, twice, false, workspace);
      CHECK(rig.read(twice, floats) == once);
    });
  }

  TEST_CASE("pooling and upsampling backward") {
    on_every_backend([](Rig& rig) {
      Backend& backend = rig.backend();
      const PoolDesc pool{3, 2, 2, 2};
      const Tensor src = rig.tensor({2, 5, 7, 7}), dst = rig.tensor({2, 5, 4, 4}), scalar = rig.tensor({2, 5, 1, 1});
      const Tensor large = rig.tensor({2, 5, 14, 14});
      void* index = rig.memory(backend.max_pool_index_bytes(pool, dst));
      backend.max_pool(pool, src, dst, index);
      check_tensor(rig, {2, 5, 7, 7}, [&](const Tensor& d, bool add) { backend.max_pool_backward(pool, dst, index, d, add); });
      check_tensor(rig, {2, 5, 7, 7}, [&](const Tensor& d, bool add) { backend.global_average_pool_backward(scalar, d, add); });
      check_tensor(rig, {2, 5, 7, 7}, [&](const Tensor& d, bool add) { backend.upsample_backward(large, 2, 0.5f, d, add); });
    });
  }

  TEST_CASE("copies, products, dropout") {
    on_every_backend([](Rig& rig) {
      Backend& backend = rig.backend();
      const Shape shape{2, 5, 4, 3};
      const Tensor a = rig.tensor(shape), b = rig.tensor(shape), scalar = rig.tensor({2, 5, 1, 1});
      check_tensor(rig, shape, [&](const Tensor& d, bool add) { backend.copy(a, d, 0.5f, add); });
      check_tensor(rig, shape, [&](const Tensor& d, bool add) { backend.copy_channels(a, 0, d, 0, 5, add); });
      check_tensor(rig, shape, [&](const Tensor& d, bool add) { backend.multiply(a, b, d, add); });
      check_tensor(rig, shape, [&](const Tensor& d, bool add) { backend.multiply(a, scalar, d, add); });
      check_tensor(rig, {2, 5, 1, 1}, [&](const Tensor& d, bool add) { backend.multiply_reduce(a, b, d, add); });
      check_tensor(rig, shape, [&](const Tensor& d, bool add) { backend.dropout(a, 0.3f, 1, 3, rig.step({2}), d, add); });
    });
  }

  TEST_CASE("gradients of biases, beta and gamma are added to") {
    on_every_backend([](Rig& rig) {
      Backend& backend = rig.backend();
      const Shape shape{2, 5, 4, 3};
      const Tensor x = rig.tensor(shape), dout = rig.tensor(shape), dx = rig.tensor(shape);
      const float* bias = rig.channels(5);
      float* dbias = rig.channels(5);
      check_channels(rig, dbias, 5, [&] { backend.bias_activation_backward(dout, x, bias, Activation::mish, dbias, dx); });
      BatchNormArrays bn;
      bn.gamma = rig.channels(5, 0.5f, 1.5f);
      bn.beta = rig.channels(5);
      bn.mean = rig.channels(5);
      bn.variance = rig.channels(5, 0.5f, 1.5f);
      bn.dgamma = rig.channels(5);
      bn.dbeta = rig.channels(5);
      const auto backward = [&] { backend.batch_norm_backward(dout, x, bn, Activation::mish, dx); };
      check_channels(rig, bn.dgamma, 5, backward);
      check_channels(rig, bn.dbeta, 5, backward);
    });
  }
}

}  // namespace dk::test
