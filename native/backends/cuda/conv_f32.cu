// A matrix product in tiles: rows are places of the result, columns its channels, and what is summed over are the taps of the
// filter and the channels of the source, some at a time by way of shared memory. It serves until cuDNN has compiled a kernel that
// does not round these results, and where it has none (Turing). Sums are taken in the same order on every run and card.
#include "cuda/conv_f32.h"

#include "cuda/conv_engine.h"
#include "cuda/task.h"
#include "cuda/view.h"

namespace dk::cuda {
namespace {

constexpr int kRows = kBlock;  // places of a block: a thread loads the source of one
constexpr int kColumns = 64;   // channels of a block
constexpr int kDepth = 16;     // channels of the source in a step
constexpr int kVectors = kDepth / kLanes;
constexpr int kAcross = kColumns / kLanes;  // threads side by side; each has kLanes places by kLanes channels
static_assert(kBlock / kAcross * kLanes == kRows && kColumns * kVectors <= kBlock);

struct Taps {
  int size, stride_x, stride_y, padding, dilation;
};

// Where tap k of a place of the result reads the source; negative outside.
template <class T>
__device__ __forceinline__ int64_t source_of(const Taps& taps, const View<T>& x, const View<float>& y, int64_t place, int k) {
  const int ox = static_cast<int>(place % y.w), oy = static_cast<int>(place / y.w % y.h);
  const int ix = ox * taps.stride_x - taps.padding + k % taps.size * taps.dilation;
  const int iy = oy * taps.stride_y - taps.padding + k / taps.size * taps.dilation;
  if (place >= y.places || ix < 0 || ix >= x.w || iy < 0 || iy >= x.h) return -1;
  return (place / (static_cast<int64_t>(y.w) * y.h) * x.h + iy) * x.w + ix;
}

template <class T>
__global__ void __launch_bounds__(kBlock)
    conv_to_f32_kernel(Taps taps, View<T> x, const T* weights, const float* bias, View<float> y) {
  alignas(16) __shared__ float sources[kDepth][kRows];
  alignas(16) __shared__ float filters[kDepth][kColumns];
  const int thread = static_cast<int>(threadIdx.x), area = taps.size * taps.size;
  const int64_t first_place = static_cast<int64_t>(blockIdx.x) * kRows;
  const int first_vector = static_cast<int>(blockIdx.y) * kAcross;
  const int channel = first_vector * kLanes + thread % kColumns, slice = thread / kColumns;  // of the filters it loads
  const bool loads_filter = slice < kVectors && channel < y.vectors * kLanes;
  const int row = thread / kAcross * kLanes, column = thread % kAcross * kLanes;  // of its results in the tile
  Lanes sums[kLanes];
  for (int i = 0; i < kLanes; ++i) sums[i] = zeros();
  for (int k = 0; k < area; ++k) {
    const int64_t source = source_of(taps, x, y, first_place + thread, k);
    for (int first = 0; first < x.vectors; first += kVectors) {
      for (int v = 0; v < kVectors; ++v) {
        const Lanes value = source >= 0 && first + v < x.vectors ? load(x.at(source, first + v)) : zeros();
        for (int i = 0; i < kLanes; ++i) sources[v * kLanes + i][thread] = value.v[i];
      }
      if (slice < kVectors) {
        const int64_t at = (static_cast<int64_t>(channel) * area + k) * x.vectors + first + slice;
        const Lanes value = loads_filter && first + slice < x.vectors ? load(weights + at * kLanes) : zeros();
        for (int i = 0; i < kLanes; ++i) filters[slice * kLanes + i][thread % kColumns] = value.v[i];
      }
      __syncthreads();
      for (int d = 0; d < kDepth; ++d) {
        const Lanes a = load(&sources[d][row]), b = load(&filters[d][column]);
        for (int i = 0; i < kLanes; ++i)
          for (int j = 0; j < kLanes; ++j) sums[i].v[j] += a.v[i] * b.v[j];
      }
      __syncthreads();
    }
  }
  const int vector = first_vector + thread % kAcross;
  if (vector >= y.vectors) return;
  const Lanes added = bias != nullptr ? load(bias + vector * kLanes) : zeros();
  for (int i = 0; i < kLanes; ++i) {
    const int64_t place = first_place + row + i;
    if (place >= y.places) return;
    for (int j = 0; j < kLanes; ++j) sums[i].v[j] += added.v[j];
    put(y, place, vector, sums[i], false);
  }
}

}  // namespace

void conv_to_f32(const Context& context, const ConvDesc& desc, const Tensor& x, const void* weights, const float* bias,
                 const Tensor& y) {
  DK_ASSERT(desc.weights.groups == 1 && x.dtype == desc.dtype && y.dtype == DType::f32);
  const Taps taps{desc.weights.size, desc.stride_x, desc.stride_y, desc.padding, desc.dilation};
  const View<float> to = make_view<float>(y);
  const dim3 grid(static_cast<unsigned>(ceil_div(to.places, kRows)), static_cast<unsigned>(ceil_div(to.vectors, kAcross)));
  with_element(x.dtype, [&]<class T>() {
    DK_LAUNCH_WITH_BARRIERS(conv_to_f32_kernel<T>, grid, kBlock, context.stream, taps, make_view<T>(x),
                            static_cast<const T*>(weights), bias, to);
  });
  DK_CUDA_LAUNCHED("convolution to floats");
}

}  // namespace dk::cuda
