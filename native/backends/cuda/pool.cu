// Pooling gathers in both directions: backward, each input place asks the windows that cover it whether they chose it. Where
// those are many (SPP: up to 169), one thread a channel walks over the windows of a small image instead and adds to sums in
// shared memory. Either way nothing is added by two threads, and sums have a fixed order. What a window chose is kept as its
// position in the window, row by row.
#include "cuda/pool.h"

#include <algorithm>
#include <cmath>

#include "cuda/columns.h"
#include "cuda/pool_choice.h"

namespace dk::cuda {
namespace {

bool narrow(const PoolDesc& desc) { return desc.size <= kNarrowWindow; }

// A place as image, row, column.
struct Site {
  int64_t image;
  int y, x, vector;
};

template <class T>
__device__ __forceinline__ bool my_site(const View<T>& view, Site* site) {
  const int64_t task = task_index(), place = task / view.vectors;
  site->vector = static_cast<int>(task % view.vectors);
  site->x = static_cast<int>(place % view.w);
  site->y = static_cast<int>(place / view.w % view.h);
  site->image = place / (static_cast<int64_t>(view.w) * view.h);
  return place < view.places;
}

template <class T>
__device__ __forceinline__ int64_t place_of(const View<T>& view, int64_t image, int y, int x) {
  return (image * view.h + y) * view.w + x;
}

template <class T>
__device__ __forceinline__ void put_at(const View<T>& dst, const Site& site, const Lanes& value, bool accumulate) {
  put(dst, place_of(dst, site.image, site.y, site.x), site.vector, value, accumulate);
}

template <class T, class Index>
__global__ void __launch_bounds__(kBlock) max_pool_kernel(PoolDesc desc, View<T> src, View<T> dst, Choices<Index>* index) {
  Site site;
  if (!my_site(dst, &site)) return;
  const int top = site.y * desc.stride_y - desc.padding / 2, left = site.x * desc.stride_x - desc.padding / 2;
  Lanes best;
  Choices<Index> choice;
  for (int i = 0; i < kLanes; ++i) {
    best.v[i] = -INFINITY;
    choice.v[i] = kNowhere<Index>;
  }
  for (int ky = 0; ky < desc.size; ++ky) {
    const int y = top + ky;
    if (y < 0 || y >= src.h) continue;
    for (int kx = 0; kx < desc.size; ++kx) {
      const int x = left + kx;
      if (x < 0 || x >= src.w) continue;
      const Lanes value = load(src.at(place_of(src, site.image, y, x), site.vector));
      for (int i = 0; i < kLanes; ++i) {
        if (choice.v[i] != kNowhere<Index> && !(value.v[i] > best.v[i])) continue;
        best.v[i] = value.v[i];
        choice.v[i] = static_cast<Index>(ky * desc.size + kx);
      }
    }
  }
  put_at(dst, site, best, false);
  if (index != nullptr) index[place_of(dst, site.image, site.y, site.x) * dst.vectors + site.vector] = choice;
}

// First output whose window of `size` at `stride` covers position `at` (already moved by the padding), and behind the last.
struct Cover {
  int first, end;
};

__device__ __forceinline__ Cover windows_over(int at, int size, int stride, int outputs) {
  const int first = at - size + 1 <= 0 ? 0 : (at - size + stride) / stride;
  const int end = at / stride + 1;
  return Cover{first, end < outputs ? end : outputs};
}

template <class T, class Index>
__global__ void __launch_bounds__(kBlock)
    max_pool_backward_kernel(PoolDesc desc, View<T> ddst, const Choices<Index>* index, View<T> dsrc, bool accumulate) {
  Site site;
  if (!my_site(dsrc, &site)) return;
  const int at_y = site.y + desc.padding / 2, at_x = site.x + desc.padding / 2;
  const Cover rows = windows_over(at_y, desc.size, desc.stride_y, ddst.h);
  const Cover columns = windows_over(at_x, desc.size, desc.stride_x, ddst.w);
  Lanes sum = zeros();
  for (int oy = rows.first; oy < rows.end; ++oy)
    for (int ox = columns.first; ox < columns.end; ++ox) {
      const int64_t place = place_of(ddst, site.image, oy, ox);
      const Index here = static_cast<Index>((at_y - oy * desc.stride_y) * desc.size + at_x - ox * desc.stride_x);
      const Choices<Index> choice = index[place * ddst.vectors + site.vector];
      const Lanes delta = load(ddst.at(place, site.vector));
      for (int i = 0; i < kLanes; ++i) sum.v[i] += choice.v[i] == here ? delta.v[i] : 0.0f;
    }
  put_at(dsrc, site, sum, accumulate);
}

// Sums of a tile in shared memory: the places of one image (blockIdx.y) times `channels` channels.
constexpr int kTileFloats = 12288, kTileChannels = 32, kTileRows = 8;
constexpr int kAhead = 8;  // windows that are read before the first of them is added

template <class T, class Index>
__global__ void __launch_bounds__(kTileChannels* kTileRows)
    max_pool_backward_tile(PoolDesc desc, View<T> ddst, const Index* index, View<T> dsrc, bool accumulate) {
  __shared__ float sums[kTileFloats];
  const int channels = static_cast<int>(blockDim.x), lane = static_cast<int>(threadIdx.x);
  const int c = static_cast<int>(blockIdx.x) * channels + lane, places = dsrc.h * dsrc.w, windows = ddst.h * ddst.w;
  const bool mine = c < dsrc.vectors * kLanes;
  for (int p = static_cast<int>(threadIdx.y); p < places; p += kTileRows) sums[p * channels + lane] = 0;
  __syncthreads();
  const int64_t first = static_cast<int64_t>(blockIdx.y) * windows;
  for (int begin = 0; begin < windows && threadIdx.y == 0 && mine; begin += kAhead) {
    Index choice[kAhead];
    float delta[kAhead];
    for (int i = 0; i < kAhead; ++i) {
      const bool inside = begin + i < windows;
      const int64_t at = first + begin + i;
      choice[i] = inside ? index[at * ddst.vectors * kLanes + c] : kNowhere<Index>;
      delta[i] = inside ? to_float(ddst.data[at * ddst.stride + c]) : 0.0f;
    }
    for (int i = 0; i < kAhead; ++i) {
      if (choice[i] == kNowhere<Index>) continue;
      const int y = (begin + i) / ddst.w * desc.stride_y - desc.padding / 2 + choice[i] / desc.size;
      const int x = (begin + i) % ddst.w * desc.stride_x - desc.padding / 2 + choice[i] % desc.size;
      sums[(y * dsrc.w + x) * channels + lane] += delta[i];
    }
  }
  __syncthreads();
  for (int p = static_cast<int>(threadIdx.y); p < places && mine; p += kTileRows) {
    T* to = dsrc.data + (static_cast<int64_t>(blockIdx.y) * places + p) * dsrc.stride + c;
    const float before = accumulate ? to_float(*to) : 0.0f;
    store_one(to, c < dsrc.c ? before + sums[p * channels + lane] : 0.0f);
  }
}

// Channels of a tile: as many vectors as fit; 0 where the image is too large for one, or few windows cover a place.
template <class T>
int tile_channels(const PoolDesc& desc, const View<T>& dsrc) {
  constexpr int kFewWindows = 8, kMostImages = 65535;
  const int covering = static_cast<int>(ceil_div(desc.size, desc.stride_x) * ceil_div(desc.size, desc.stride_y));
  const int64_t places = static_cast<int64_t>(dsrc.h) * dsrc.w;
  if (covering <= kFewWindows || dsrc.n > kMostImages || places > kTileFloats / kLanes) return 0;
  const int fit = kTileFloats / static_cast<int>(places) / kLanes * kLanes;
  return std::min({fit, kTileChannels, dsrc.vectors * kLanes});
}

// A block for the vectors of one image (blockIdx.y).
template <class T>
__global__ void __launch_bounds__(kBlock) average_kernel(View<T> src, View<T> dst) {
  __shared__ float shared[kBlock][kLanes];
  const int vector = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  const int64_t plane = static_cast<int64_t>(src.h) * src.w, first = blockIdx.y * plane;
  Lanes sum = zeros();
  if (vector < src.vectors) {
    for (int64_t p = threadIdx.y; p < plane; p += blockDim.y) {
      const Lanes value = load(src.at(first + p, vector));
      for (int i = 0; i < kLanes; ++i) sum.v[i] += value.v[i];
    }
  }
  sum = sum_of_rows(sum, shared);
  if (threadIdx.y != 0 || vector >= src.vectors) return;
  for (int i = 0; i < kLanes; ++i) sum.v[i] /= static_cast<float>(plane);
  put(dst, blockIdx.y, vector, sum, false);
}

template <class T>
__global__ void __launch_bounds__(kBlock) average_backward_kernel(View<T> ddst, View<T> dsrc, bool accumulate) {
  Site site;
  if (!my_site(dsrc, &site)) return;
  Lanes value = load(ddst.at(site.image, site.vector));
  for (int i = 0; i < kLanes; ++i) value.v[i] /= static_cast<float>(dsrc.h * dsrc.w);
  put_at(dsrc, site, value, accumulate);
}

template <class T>
__global__ void __launch_bounds__(kBlock) upsample_kernel(View<T> src, int stride, float scale, View<T> dst) {
  Site site;
  if (!my_site(dst, &site)) return;
  Lanes value = load(src.at(place_of(src, site.image, site.y / stride, site.x / stride), site.vector));
  for (int i = 0; i < kLanes; ++i) value.v[i] *= scale;
  put_at(dst, site, value, false);
}

template <class T>
__global__ void __launch_bounds__(kBlock)
    upsample_backward_kernel(View<T> ddst, int stride, float scale, View<T> dsrc, bool accumulate) {
  Site site;
  if (!my_site(dsrc, &site)) return;
  Lanes sum = zeros();
  for (int dy = 0; dy < stride; ++dy)
    for (int dx = 0; dx < stride; ++dx) {
      const Lanes delta = load(ddst.at(place_of(ddst, site.image, site.y * stride + dy, site.x * stride + dx), site.vector));
      for (int i = 0; i < kLanes; ++i) sum.v[i] += delta.v[i];
    }
  for (int i = 0; i < kLanes; ++i) sum.v[i] *= scale;
  put_at(dsrc, site, sum, accumulate);
}

// body.template operator()<Index>() with the type that positions in the window are kept as.
template <class Body>
void with_index(const PoolDesc& desc, const Body& body) {
  if (narrow(desc)) {
    body.template operator()<uint8_t>();
  } else {
    body.template operator()<uint16_t>();
  }
}

}  // namespace

int64_t max_pool_index_bytes(const PoolDesc& desc, const Tensor& dst) {
  const int64_t elements = static_cast<int64_t>(dst.n) * dst.h * dst.w * round_up(dst.c, kLanes);
  return elements * (narrow(desc) ? 1 : 2);
}

void max_pool(const Context& context, const PoolDesc& desc, const Tensor& src, const Tensor& dst, void* index) {
  DK_ASSERT(src.n == dst.n && src.c == dst.c && src.dtype == dst.dtype);
  with_element(src.dtype, [&]<class T>() {
    const View<T> from = make_view<T>(src), to = make_view<T>(dst);
    with_index(desc, [&]<class Index>() {
      DK_LAUNCH((max_pool_kernel<T, Index>), blocks_for_vectors(to), kBlock, context.stream, desc, from, to,
                static_cast<Choices<Index>*>(index));
    });
  });
  DK_CUDA_LAUNCHED("max_pool");
}

void max_pool_backward(const Context& context, const PoolDesc& desc, const Tensor& ddst, const void* index, const Tensor& dsrc,
                       bool accumulate) {
  DK_ASSERT(ddst.n == dsrc.n && ddst.c == dsrc.c && ddst.dtype == dsrc.dtype);
  with_element(dsrc.dtype, [&]<class T>() {
    const View<T> from = make_view<T>(ddst), to = make_view<T>(dsrc);
    const int channels = tile_channels(desc, to);
    with_index(desc, [&]<class Index>() {
      if (channels > 0) {
        const dim3 grid(static_cast<unsigned>(ceil_div(to.vectors * kLanes, channels)), static_cast<unsigned>(to.n));
        DK_LAUNCH_WITH_BARRIERS((max_pool_backward_tile<T, Index>), grid, dim3(static_cast<unsigned>(channels), kTileRows),
                                context.stream, desc, from, static_cast<const Index*>(index), to, accumulate);
        return;
      }
      DK_LAUNCH((max_pool_backward_kernel<T, Index>), blocks_for_vectors(to), kBlock, context.stream, desc, from,
                static_cast<const Choices<Index>*>(index), to, accumulate);
    });
  });
  DK_CUDA_LAUNCHED("max_pool_backward");
}

void global_average_pool(const Context& context, const Tensor& src, const Tensor& dst) {
  DK_ASSERT(src.n == dst.n && src.c == dst.c && dst.h == 1 && dst.w == 1);
  with_element(src.dtype, [&]<class T>() {
    const View<T> from = make_view<T>(src);
    Columns shape = columns_for(1, from.vectors, 1, 1);
    shape.grid.y = static_cast<unsigned>(from.n);
    DK_LAUNCH_WITH_BARRIERS(average_kernel<T>, shape.grid, shape.block, context.stream, from, make_view<T>(dst));
  });
  DK_CUDA_LAUNCHED("global_average_pool");
}

void global_average_pool_backward(const Context& context, const Tensor& ddst, const Tensor& dsrc, bool accumulate) {
  DK_ASSERT(ddst.n == dsrc.n && ddst.c == dsrc.c && ddst.h == 1 && ddst.w == 1);
  with_element(dsrc.dtype, [&]<class T>() {
    const View<T> to = make_view<T>(dsrc);
    DK_LAUNCH(average_backward_kernel<T>, blocks_for_vectors(to), kBlock, context.stream, make_view<T>(ddst), to, accumulate);
  });
  DK_CUDA_LAUNCHED("global_average_pool_backward");
}

void upsample(const Context& context, const Tensor& src, int stride, float scale, const Tensor& dst) {
  DK_ASSERT(src.n == dst.n && src.c == dst.c && dst.h == src.h * stride && dst.w == src.w * stride);
  with_element(dst.dtype, [&]<class T>() {
    const View<T> to = make_view<T>(dst);
    DK_LAUNCH(upsample_kernel<T>, blocks_for_vectors(to), kBlock, context.stream, make_view<T>(src), stride, scale, to);
  });
  DK_CUDA_LAUNCHED("upsample");
}

void upsample_backward(const Context& context, const Tensor& ddst, int stride, float scale, const Tensor& dsrc, bool accumulate) {
  DK_ASSERT(ddst.n == dsrc.n && ddst.c == dsrc.c && ddst.h == dsrc.h * stride && ddst.w == dsrc.w * stride);
  with_element(dsrc.dtype, [&]<class T>() {
    const View<T> to = make_view<T>(dsrc);
    DK_LAUNCH(upsample_backward_kernel<T>, blocks_for_vectors(to), kBlock, context.stream, make_view<T>(ddst), stride, scale, to,
              accumulate);
  });
  DK_CUDA_LAUNCHED("upsample_backward");
}

}  // namespace dk::cuda
