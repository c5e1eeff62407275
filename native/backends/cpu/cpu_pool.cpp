// Pooling and upsampling: the planes of an image and a block of channels are independent, a thread takes whole ones.
#include "cpu/cpu_pool.h"

#include <vector>

namespace dk::cpu {
namespace {

bool is_wide(const PoolDesc& desc) { return desc.size > kNarrowPoolSize; }

int64_t index_plane_bytes(const Context& context, const PoolDesc& desc, int64_t places) {
  return places * context.block() * (is_wide(desc) ? 2 : 1);
}

// The part of PoolArgs that all planes share.
PoolArgs shared_args(const PoolDesc& desc, const View& src, const View& dst) {
  DK_ASSERT(src.n == dst.n && src.c == dst.c && src.dtype == dst.dtype);
  DK_ASSERT(desc.size >= 1 && desc.size <= kWidePoolSize);
  DK_ASSERT(dst.h == (src.h + desc.padding - desc.size) / desc.stride_y + 1);
  DK_ASSERT(dst.w == (src.w + desc.padding - desc.size) / desc.stride_x + 1);
  PoolArgs args{};
  args.ih = src.h;
  args.iw = src.w;
  args.oh = dst.h;
  args.ow = dst.w;
  args.size = desc.size;
  args.stride_y = desc.stride_y;
  args.stride_x = desc.stride_x;
  args.offset = -(desc.padding / 2);
  args.wide = is_wide(desc);
  return args;
}

// body(image, block, plane number) on the threads.
template <class Body>
void for_each_plane(const Context& context, const View& v, Body body) {
  for_each_item(context, static_cast<int64_t>(v.n) * v.blocks,
                [&](int64_t item) { body(static_cast<int>(item / v.blocks), static_cast<int>(item % v.blocks), item); });
}

void check_upsampled(const View& small, int stride, const View& large) {
  DK_ASSERT(small.n == large.n && small.c == large.c && small.dtype == large.dtype && stride >= 1);
  DK_ASSERT(large.h == small.h * stride && large.w == small.w * stride);
}

void check_pooled(const View& large, const View& small) {
  DK_ASSERT(small.n == large.n && small.c == large.c && small.dtype == large.dtype && small.plane == 1);
}

}  // namespace

int64_t max_pool_index_bytes(const Context& context, const PoolDesc& desc, const Tensor& dst) {
  const int64_t blocks = round_up(dst.c, context.block()) / context.block();
  return dst.n * blocks * index_plane_bytes(context, desc, static_cast<int64_t>(dst.h) * dst.w);
}

void max_pool(const Context& context, const PoolDesc& desc, const Tensor& src, const Tensor& dst, void* index) {
  const View from = make_view(context, src), to = make_view(context, dst);
  const PoolArgs shared = shared_args(desc, from, to);
  const int64_t index_bytes = index_plane_bytes(context, desc, to.plane);
  const int64_t planes = static_cast<int64_t>(from.n) * from.blocks;
  const int64_t scratch_bytes = desc.size > kDirectPoolSize ? pool_scratch_bytes(from.h, to.w) : 0;
  std::vector<char> scratch(scratch_bytes * context.threads);
  on_all_threads(context, [&](int thread, int threads) {
    const Span mine = share(planes, thread, threads);
    for (int64_t plane = mine.first; plane < mine.end; ++plane) {
      const int image = static_cast<int>(plane / from.blocks), block = static_cast<int>(plane % from.blocks);
      PoolArgs args = shared;
      args.input = from.at(image, block);
      args.output = to.at(image, block);
      args.index = index ? static_cast<char*>(index) + plane * index_bytes : nullptr;
      args.scratch = scratch.data() + thread * scratch_bytes;
      args.mask = lane_mask(context, from, block);
      context.kernels->max_pool[from.dtype](args);
    }
  });
}

void max_pool_backward(const Context& context, const PoolDesc& desc, const Tensor& ddst, const void* index, const Tensor& dsrc,
                       bool accumulate) {
  const View from = make_view(context, ddst), to = make_view(context, dsrc);
  const PoolArgs shared = shared_args(desc, to, from);
  const int64_t index_bytes = index_plane_bytes(context, desc, from.plane);
  for_each_plane(context, to, [&](int image, int block, int64_t plane) {
    PoolArgs args = shared;
    args.input = to.at(image, block);
    args.output = from.at(image, block);
    args.index = const_cast<char*>(static_cast<const char*>(index)) + plane * index_bytes;
    args.accumulate = accumulate;
    context.kernels->max_pool_backward[to.dtype](args);
  });
}

void global_average_pool(const Context& context, const Tensor& src, const Tensor& dst) {
  const View from = make_view(context, src), to = make_view(context, dst);
  check_pooled(from, to);
  for_each_plane(context, from, [&](int image, int block, int64_t) {
    double sum[kMaxBlock];
    context.kernels->sum_products[from.dtype](from.at(image, block), nullptr, from.plane, sum);
    float mean[kMaxBlock];
    for (int l = 0; l < context.block(); ++l) mean[l] = static_cast<float>(sum[l] / static_cast<double>(from.plane));
    context.kernels->spread[to.dtype](mean, to.at(image, block), 1, false);
  });
}

void global_average_pool_backward(const Context& context, const Tensor& ddst, const Tensor& dsrc, bool accumulate) {
  const View from = make_view(context, ddst), to = make_view(context, dsrc);
  check_pooled(to, from);
  for_each_plane(context, to, [&](int image, int block, int64_t) {
    double delta[kMaxBlock];
    context.kernels->sum_products[from.dtype](from.at(image, block), nullptr, 1, delta);
    float part[kMaxBlock];
    for (int l = 0; l < context.block(); ++l) part[l] = static_cast<float>(delta[l] / static_cast<double>(to.plane));
    context.kernels->spread[to.dtype](part, to.at(image, block), to.plane, accumulate);
  });
}

void upsample(const Context& context, const Tensor& src, int stride, float scale, const Tensor& dst) {
  const View from = make_view(context, src), to = make_view(context, dst);
  check_upsampled(from, stride, to);
  for_each_plane(context, from, [&](int image, int block, int64_t) {
    for (int y = 0; y < from.h; ++y)
      context.kernels->upsample_row[from.dtype](from.at(image, block, static_cast<int64_t>(y) * from.w), from.w, stride, scale,
                                                to.at(image, block, static_cast<int64_t>(y) * stride * to.w));
  });
}

void upsample_backward(const Context& context, const Tensor& ddst, int stride, float scale, const Tensor& dsrc, bool accumulate) {
  const View from = make_view(context, ddst), to = make_view(context, dsrc);
  check_upsampled(to, stride, from);
  for_each_plane(context, to, [&](int image, int block, int64_t) {
    for (int y = 0; y < to.h; ++y)
      context.kernels->upsample_row_backward[to.dtype](from.at(image, block, static_cast<int64_t>(y) * stride * from.w), to.w,
                                                       stride, scale, to.at(image, block, static_cast<int64_t>(y) * to.w),
                                                       accumulate);
  });
}

}  // namespace dk::cpu
