// One thread a vector of channels, vectors of a place side by side, so that a warp reads and writes whole lines.
#include "cuda/tensors.h"

#include "cuda/columns.h"
#include "math/dropout.h"

namespace dk::cuda {
namespace {

// Which vector of which place a thread has; false behind the end.
struct Spot {
  int64_t place;
  int vector;
};

template <class T>
__device__ __forceinline__ bool my_spot(const View<T>& view, Spot* spot) {
  const int64_t task = task_index();
  spot->place = task / view.vectors;
  spot->vector = static_cast<int>(task % view.vectors);
  return spot->place < view.places;
}

// Index of channel c at a place in NCHW order.
template <class T>
__device__ __forceinline__ int64_t planar_index(const View<T>& view, int64_t place, int c) {
  const int64_t plane = static_cast<int64_t>(view.h) * view.w;
  return (place / plane * view.c + c) * plane + place % plane;
}

template <class T>
__global__ void __launch_bounds__(kBlock) spread_kernel(const float* staged, View<T> dst) {
  Spot spot;
  if (!my_spot(dst, &spot)) return;
  Lanes value = zeros();
  for (int i = 0; i < kLanes; ++i) {
    const int c = spot.vector * kLanes + i;
    if (c < dst.c) value.v[i] = staged[planar_index(dst, spot.place, c)];
  }
  store(dst.at(spot.place, spot.vector), value);
}

template <class T>
__global__ void __launch_bounds__(kBlock) gather_kernel(View<T> src, float* staged) {
  Spot spot;
  if (!my_spot(src, &spot)) return;
  const Lanes value = load(src.at(spot.place, spot.vector));
  for (int i = 0; i < kLanes; ++i) {
    const int c = spot.vector * kLanes + i;
    if (c < src.c) staged[planar_index(src, spot.place, c)] = value.v[i];
  }
}

template <class T>
__global__ void __launch_bounds__(kBlock) fill_kernel(View<T> dst, float value) {
  Spot spot;
  if (!my_spot(dst, &spot)) return;
  Lanes lanes;
  for (int i = 0; i < kLanes; ++i) lanes.v[i] = value;
  put(dst, spot.place, spot.vector, lanes, false);
}

template <class From, class To>
__global__ void __launch_bounds__(kBlock) copy_kernel(View<From> src, View<To> dst, float scale, bool accumulate) {
  Spot spot;
  if (!my_spot(dst, &spot)) return;
  Lanes value = load(src.at(spot.place, spot.vector));
  for (int i = 0; i < kLanes; ++i) value.v[i] *= scale;
  put(dst, spot.place, spot.vector, value, accumulate);
}

// Channel by channel: for slices that begin within a vector.
template <class T>
__global__ void __launch_bounds__(kBlock)
    copy_channels_kernel(View<T> src, int src_first, View<T> dst, int dst_first, int count, bool accumulate) {
  const int64_t task = task_index(), place = task / count;
  const int c = static_cast<int>(task % count);
  if (place >= dst.places) return;
  T* to = dst.data + place * dst.stride + dst_first + c;
  const float value = to_float(src.data[place * src.stride + src_first + c]);
  store_one(to, accumulate ? to_float(*to) + value : value);
}

template <class T>
__global__ void __launch_bounds__(kBlock) multiply_kernel(View<T> a, View<T> b, View<T> dst, bool per_channel, bool accumulate) {
  Spot spot;
  if (!my_spot(dst, &spot)) return;
  const int64_t plane = static_cast<int64_t>(dst.h) * dst.w;
  Lanes value = load(a.at(spot.place, spot.vector));
  const Lanes factor = load(b.at(per_channel ? spot.place / plane : spot.place, spot.vector));
  for (int i = 0; i < kLanes; ++i) value.v[i] *= factor.v[i];
  put(dst, spot.place, spot.vector, value, accumulate);
}

// A block for the vectors of one image (blockIdx.y).
template <class T>
__global__ void __launch_bounds__(kBlock) multiply_reduce_kernel(View<T> a, View<T> b, View<T> dst, bool accumulate) {
  __shared__ float shared[kBlock][kLanes];
  const int vector = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  const int64_t plane = static_cast<int64_t>(a.h) * a.w, first = blockIdx.y * plane;
  Lanes sum = zeros();
  if (vector < a.vectors) {
    for (int64_t p = threadIdx.y; p < plane; p += blockDim.y) {
      const Lanes left = load(a.at(first + p, vector)), right = load(b.at(first + p, vector));
      for (int i = 0; i < kLanes; ++i) sum.v[i] += left.v[i] * right.v[i];
    }
  }
  sum = sum_of_rows(sum, shared);
  if (threadIdx.y == 0 && vector < a.vectors) put(dst, blockIdx.y, vector, sum, accumulate);
}

template <class T>
__global__ void __launch_bounds__(kBlock) dropout_kernel(View<T> src, DropoutDraw draw, View<T> dst, bool accumulate) {
  Spot spot;
  if (!my_spot(dst, &spot)) return;
  Lanes value = load(src.at(spot.place, spot.vector));
  const float scale = dropout_scale(draw.probability);
  const uint64_t iteration = draw.step->iteration;
  const uint32_t stream = dropout_stream(draw.layer, draw.step->first_image);
  for (int i = 0; i < kLanes; ++i) {
    const int c = spot.vector * kLanes + i;
    if (c >= dst.c) break;
    const uint64_t element = static_cast<uint64_t>(planar_index(dst, spot.place, c));
    const Philox4 bits = dropout_block(draw.seed, iteration, stream, element / 4);
    value.v[i] = dropout_keeps(bits.v[element % 4], draw.probability) ? scale * value.v[i] : 0.0f;
  }
  put(dst, spot.place, spot.vector, value, accumulate);
}

}  // namespace

void spread_planar(const Context& context, const float* staged, const Tensor& dst) {
  with_element(dst.dtype, [&]<class T>() {
    const View<T> to = make_view<T>(dst);
    DK_LAUNCH(spread_kernel<T>, blocks_for_vectors(to), kBlock, context.stream, staged, to);
  });
  DK_CUDA_LAUNCHED("spread_planar");
}

void gather_planar(const Context& context, const Tensor& src, float* staged) {
  with_element(src.dtype, [&]<class T>() {
    const View<T> from = make_view<T>(src);
    DK_LAUNCH(gather_kernel<T>, blocks_for_vectors(from), kBlock, context.stream, from, staged);
  });
  DK_CUDA_LAUNCHED("gather_planar");
}

void fill(const Context& context, const Tensor& dst, float value) {
  with_element(dst.dtype, [&]<class T>() {
    const View<T> to = make_view<T>(dst);
    DK_LAUNCH(fill_kernel<T>, blocks_for_vectors(to), kBlock, context.stream, to, value);
  });
  DK_CUDA_LAUNCHED("fill");
}

void copy(const Context& context, const Tensor& src, const Tensor& dst, float scale, bool accumulate) {
  DK_ASSERT(src.n == dst.n && src.c == dst.c && src.h == dst.h && src.w == dst.w);
  DK_ASSERT(src.dtype == dst.dtype || src.dtype == DType::f32);
  with_element(dst.dtype, [&]<class T>() {
    const View<T> to = make_view<T>(dst);
    const dim3 blocks = blocks_for_vectors(to);
    if (src.dtype == dst.dtype) {
      DK_LAUNCH((copy_kernel<T, T>), blocks, kBlock, context.stream, make_view<T>(src), to, scale, accumulate);
    } else {
      DK_LAUNCH((copy_kernel<float, T>), blocks, kBlock, context.stream, make_view<float>(src), to, scale, accumulate);
    }
  });
  DK_CUDA_LAUNCHED("copy");
}

void copy_channels(const Context& context, const Tensor& src, int src_first, const Tensor& dst, int dst_first, int count,
                   bool accumulate) {
  DK_ASSERT(src_first >= 0 && dst_first >= 0 && count >= 0 && src_first + count <= src.c && dst_first + count <= dst.c);
  if (count == 0) return;
  with_element(dst.dtype, [&]<class T>() {
    const View<T> from = make_view<T>(src), to = make_view<T>(dst);
    DK_LAUNCH(copy_channels_kernel<T>, blocks_for(to.places * count), kBlock, context.stream, from, src_first, to, dst_first,
              count, accumulate);
  });
  DK_CUDA_LAUNCHED("copy_channels");
}

void multiply(const Context& context, const Tensor& a, const Tensor& b, const Tensor& dst, bool accumulate) {
  const bool per_channel = b.h != a.h || b.w != a.w;
  DK_ASSERT(a.n == b.n && a.c == b.c && (!per_channel || (b.h == 1 && b.w == 1)));
  with_element(dst.dtype, [&]<class T>() {
    const View<T> to = make_view<T>(dst);
    DK_LAUNCH(multiply_kernel<T>, blocks_for_vectors(to), kBlock, context.stream, make_view<T>(a), make_view<T>(b), to,
              per_channel, accumulate);
  });
  DK_CUDA_LAUNCHED("multiply");
}

void multiply_reduce(const Context& context, const Tensor& a, const Tensor& b, const Tensor& dst, bool accumulate) {
  DK_ASSERT(a.n == b.n && a.c == b.c && a.h == b.h && a.w == b.w && dst.n == a.n && dst.c == a.c && dst.h == 1 && dst.w == 1);
  with_element(a.dtype, [&]<class T>() {
    const View<T> left = make_view<T>(a);
    Columns shape = columns_for(1, left.vectors, 1, 1);
    shape.grid.y = static_cast<unsigned>(left.n);
    DK_LAUNCH_WITH_BARRIERS(multiply_reduce_kernel<T>, shape.grid, shape.block, context.stream, left, make_view<T>(b),
                            make_view<T>(dst), accumulate);
  });
  DK_CUDA_LAUNCHED("multiply_reduce");
}

void dropout(const Context& context, const Tensor& src, const DropoutDraw& draw, const Tensor& dst, bool accumulate) {
  DK_ASSERT(src.n == dst.n && src.c == dst.c && src.h == dst.h && src.w == dst.w);
  with_element(dst.dtype, [&]<class T>() {
    const View<T> to = make_view<T>(dst);
    DK_LAUNCH(dropout_kernel<T>, blocks_for_vectors(to), kBlock, context.stream, make_view<T>(src), draw, to, accumulate);
  });
  DK_CUDA_LAUNCHED("dropout");
}

}  // namespace dk::cuda
