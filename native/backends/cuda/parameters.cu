#include "cuda/parameters.h"

#include <algorithm>

#include "cuda/task.h"

namespace dk::cuda {
namespace {

constexpr int kFloats = 4 * kBlock;  // that a block updates
constexpr int kArrays = 384;         // in one launch: its parameters may take 32 kB

// The arrays of a launch; first_block[i] is where the i-th begins among the blocks. Goes by value: a recording keeps it.
struct Arrays {
  SgdArgs arrays[kArrays];
  unsigned first_block[kArrays];
  int count;
};

__device__ __forceinline__ int array_of_block(const Arrays& all, unsigned block) {
  int low = 0;
  for (int high = all.count; high - low > 1;) {
    const int middle = (low + high) / 2;
    if (all.first_block[middle] <= block) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return low;
}

__global__ void __launch_bounds__(kBlock) scale_kernel(float* values, int64_t count, float factor, int* not_finite) {
  const int64_t i = task_index();
  if (i >= count) return;
  const float value = values[i] * factor;
  values[i] = value;
  if (!(value - value == 0)) *not_finite = 1;
}

__global__ void __launch_bounds__(kBlock)
    update_kernel(DK_GRID_CONSTANT(Arrays) all, const StepValues* step, int32_t* not_finite) {
  const int index = array_of_block(all, blockIdx.x);
  const SgdArgs& array = all.arrays[index];
  const float rate = step->rate * array.rate_factor / array.rate_divisor, share = step->average_share;
  const int64_t first = static_cast<int64_t>(blockIdx.x - all.first_block[index]) * kFloats;
  for (int k = 0; k < kFloats / kBlock; ++k) {
    const int64_t i = first + k * kBlock + threadIdx.x;
    if (i >= array.count) return;
    float w = array.w[i];
    if (array.v != nullptr) {
      const float v = array.v[i] + array.g[i] - array.decay * w;
      w += rate * v;
      if (array.clip > 0) w = w < -array.clip ? -array.clip : w > array.clip ? array.clip : w;
      array.w[i] = w;
      array.v[i] = array.momentum * v;
      if (!(w - w == 0)) *not_finite = 1;  // all who write write the same
    }
    if (array.ema != nullptr) array.ema[i] = share * array.ema[i] + (1.0f - share) * w;
  }
}

}  // namespace

void scale_floats(const Context& context, float* values, int64_t count, float factor) {
  if (count == 0) return;
  DK_LAUNCH(scale_kernel, blocks_for(count), kBlock, context.stream, values, count, factor, context.not_finite);
  DK_CUDA_LAUNCHED("scale_floats");
}

void update(const Context& context, std::span<const SgdArgs> arrays, const StepValues* step, int32_t* not_finite) {
  for (size_t done = 0; done < arrays.size(); done += kArrays) {
    const std::span<const SgdArgs> part = arrays.subspan(done, std::min<size_t>(kArrays, arrays.size() - done));
    Arrays all;
    int64_t blocks = 0;
    for (size_t i = 0; i < part.size(); ++i) {
      all.arrays[i] = part[i];
      all.first_block[i] = static_cast<unsigned>(blocks);
      blocks += ceil_div(part[i].count, kFloats);
    }
    all.count = static_cast<int>(part.size());
    if (blocks > 0x7FFFFFFF) fail(Status::memory, "%lld blocks of parameters are too many for the card", (long long)blocks);
    if (blocks == 0) continue;
    DK_LAUNCH(update_kernel, dim3(static_cast<unsigned>(blocks)), kBlock, context.stream, all, step, not_finite);
    DK_CUDA_LAUNCHED("update");
  }
}

}  // namespace dk::cuda
