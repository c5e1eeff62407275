// Batch norm with a pooling or upsampling in the same pass: the bits of one after the other (which backend_cases_*.cpp hold
// against the reference), on the back ends that do it.
#include <vector>

#include "backend_rig.h"
#include "core/status.h"
#include "doctest/doctest.h"

namespace dk::test {
namespace {

struct Case {
  const char* name;
  Shape shape;
  NormTail tail;
  Activation activation;
  Margins view{};
};

NormTail pooling(int size, int padding, int stride = 0) {
  NormTail tail;
  tail.kind = NormTail::Kind::max_pool;
  tail.pool = {size, stride > 0 ? stride : size, stride > 0 ? stride : size, padding};
  return tail;
}

NormTail upsampling(int stride, float scale) {
  NormTail tail;
  tail.kind = NormTail::Kind::upsample;
  tail.stride = stride, tail.scale = scale;
  return tail;
}

std::vector<Case> cases() {
  return {{"2 x 2, even sides", {2, 16, 8, 12}, pooling(2, 1), Activation::leaky},
          {"2 x 2, odd sides", {2, 21, 7, 5}, pooling(2, 1), Activation::mish},
          {"2 x 2 into a view", {1, 32, 6, 10}, pooling(2, 1), Activation::leaky, {16, 16}},
          {"2 x 2 of one channel", {3, 1, 4, 2}, pooling(2, 0), Activation::mish},
          {"3 x 3", {2, 24, 9, 6}, pooling(3, 0), Activation::mish},
          {"a large plane", {2, 40, 52, 50}, pooling(2, 1), Activation::leaky},
          {"upsampled", {2, 21, 5, 3}, upsampling(2, 1), Activation::leaky},
          {"upsampled and scaled into a view", {1, 16, 4, 7}, upsampling(3, 0.3f), Activation::mish, {0, 32}}};
}

Shape shape_behind(const Case& c) {
  const Shape& s = c.shape;
  if (c.tail.kind == NormTail::Kind::upsample) return {s.n, s.c, s.h * c.tail.stride, s.w * c.tail.stride};
  const PoolDesc& p = c.tail.pool;
  return {s.n, s.c, (s.h + p.padding - p.size) / p.stride_y + 1, (s.w + p.padding - p.size) / p.stride_x + 1};
}

// Everything that forward and backward leave, from the same drawn numbers either way.
std::vector<Result> run(Backend& backend, DType dtype, const Case& c, bool fused) {
  Rig rig(backend, dtype, dtype);
  const int channels = c.shape.c;
  const Tensor x = rig.tensor(c.shape, {}, -1.3f, 2.7f), dx = rig.tensor(c.shape), between = rig.tensor(c.shape);
  const Tensor out = rig.tensor(shape_behind(c), c.view), dout = rig.tensor(shape_behind(c), c.view);
  BatchNormArrays bn;
  bn.gamma = rig.channels(channels, -1.5f, 1.5f), bn.beta = rig.channels(channels);
  bn.mean = rig.channels(channels), bn.variance = rig.channels(channels);
  bn.rolling_mean = rig.channels(channels), bn.rolling_variance = rig.channels(channels, 0.3f, 2.0f);
  bn.dgamma = rig.channels(channels), bn.dbeta = rig.channels(channels);
  NormTail tail = c.tail;
  const bool pools = tail.kind == NormTail::Kind::max_pool;
  if (pools) tail.index = rig.memory(backend.max_pool_index_bytes(tail.pool, out));
  if (fused) {
    backend.batch_norm_train_tail(x, bn, c.activation, tail, false, out);
    backend.batch_norm_backward_tail(dout, x, bn, c.activation, tail, dx);
  } else {
    backend.batch_norm_train(x, bn, c.activation, nullptr, between);
    if (pools) {
      backend.max_pool(tail.pool, between, out, tail.index);
      backend.max_pool_backward(tail.pool, dout, tail.index, between, false);
    } else {
      backend.upsample(between, tail.stride, tail.scale, out);
      backend.upsample_backward(dout, tail.stride, tail.scale, between, false);
    }
    backend.batch_norm_backward(between, x, bn, c.activation, dx);
  }
  rig.record("out", out);
  rig.record("dx", dx);
  for (const auto& [name, array] : {std::pair("mean", bn.mean), std::pair("rolling variance", bn.rolling_variance),
                                    std::pair("dgamma", bn.dgamma), std::pair("dbeta", bn.dbeta)})
    rig.record_channels(name, array, channels);
  return rig.results();
}

}  // namespace

TEST_SUITE("norm tail") {
  TEST_CASE("batch norm and what follows in one pass have the bits of two") {
    int fused = 0;
    for (const std::unique_ptr<Backend>& backend : all_backends())
      for (const DType dtype : {DType::f32, DType::bf16, DType::f16})
        for (const Case& c : cases()) {
          if (!backend->supports(dtype) || !backend->fuses(c.tail, c.activation, c.shape.h, c.shape.w)) continue;
          INFO(strf("%s %s: %s", backend->name().c_str(), dtype_name(dtype), c.name));
          const std::vector<Result> one = run(*backend, dtype, c, true), two = run(*backend, dtype, c, false);
          REQUIRE(one.size() == two.size());
          for (size_t i = 0; i < one.size(); ++i) CHECK_MESSAGE(one[i].values == two[i].values, one[i].name);
          ++fused;
        }
    CHECK(fused == 3 * static_cast<int>(cases().size()));  // on the card, each
  }

  TEST_CASE("windows that overlap, leave gaps or begin outside are not taken") {
    for (const std::unique_ptr<Backend>& backend : all_backends()) {
      for (const NormTail& tail :
           {pooling(2, 1, 1), pooling(3, 2, 2), pooling(2, 0, 3), pooling(3, 2), pooling(17, 0), NormTail{}})
        CHECK_FALSE(backend->fuses(tail, Activation::leaky, 34, 34));
      CHECK_FALSE(backend->fuses(pooling(2, 1), Activation::selu, 34, 34));
      CHECK_FALSE(backend->fuses(pooling(2, 0), Activation::leaky, 7, 8));  // the last row is in no window
    }
  }
}

}  // namespace dk::test
