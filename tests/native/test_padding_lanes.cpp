// What fills up the last channel block of a whole tensor stays zero when channels are copied into it (a route that can't be a
// view): else garbage of earlier tensors gets into the gradients of weights that belong to no channel.
#include <vector>

#include "backend/registry.h"
#include "doctest/doctest.h"

namespace dk {
namespace {

struct Memory {
  Memory(Backend& b, int64_t bytes) : backend(b), data(b.allocate(bytes)) {}
  ~Memory() { backend.release(data); }
  Backend& backend;
  void* data;
};

}  // namespace

TEST_SUITE("padding_lanes") {
  TEST_CASE("copied channels leave zeros behind the last one") {
    const auto backend = make_backend("cpu", 1);
    const int block = backend->channel_granularity();
    if (block < 16) return;  // then 8 channels are a whole block
    for (const bool accumulate : {false, true}) {
      const Memory small(*backend, backend->tensor_bytes(1, block, 2, 3, DType::f32, false));
      const Memory large(*backend, backend->tensor_bytes(1, 2 * block, 2, 3, DType::f32, false));
      const Tensor whole_block{small.data, DType::f32, 1, block, 2, 3, block, 0, false};
      const Tensor narrow{small.data, DType::f32, 1, 8, 2, 3, 8, 0, false};
      const Tensor source{large.data, DType::f32, 1, 2 * block, 2, 3, 2 * block, 0, false};
      backend->fill(whole_block, 7.0f);  // what an earlier tensor left in this memory
      backend->fill(source, 1.0f);
      backend->copy_channels(source, 3, narrow, 0, 8, accumulate);
      std::vector<float> values(static_cast<size_t>(whole_block.count()));
      backend->export_planar(whole_block, values.data());
      for (int c = 0; c < block; ++c) {
        for (int place = 0; place < 6; ++place) {
          const float expected = c >= 8 ? 0.0f : accumulate ? 8.0f : 1.0f;
          CHECK(values[static_cast<size_t>(c * 6 + place)] == expected);
        }
      }
    }
  }

  TEST_CASE("channels that follow in the same tensor are left alone") {
    const auto backend = make_backend("cpu", 1);
    const Memory from(*backend, backend->tensor_bytes(1, 8, 1, 2, DType::f32, false));
    const Memory into(*backend, backend->tensor_bytes(1, 20, 1, 2, DType::f32, false));
    const Tensor source{from.data, DType::f32, 1, 8, 1, 2, 8, 0, false};
    const Tensor target{into.data, DType::f32, 1, 20, 1, 2, 20, 0, false};
    backend->fill(source, 1.0f);
    backend->fill(target, 5.0f);
    backend->copy_channels(source, 0, target, 3, 8, false);
    std::vector<float> values(static_cast<size_t>(target.count()));
    backend->export_planar(target, values.data());
    for (int c = 0; c < 20; ++c) CHECK(values[static_cast<size_t>(c * 2)] == (c >= 3 && c < 11 ? 1.0f : 5.0f));
  }
}

}  // namespace dk
