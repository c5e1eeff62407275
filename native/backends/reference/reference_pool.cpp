// Max pooling, global average pooling and nearest-neighbour upsampling, with their gradients.
#include "reference/reference_pool.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "reference/reference_tensor.h"

namespace dk::reference {
namespace {

void check_channels(const Tensor& a, const Tensor& b) {
  check(a);
  check(b);
  DK_ASSERT(a.n == b.n && a.c == b.c);
}

void check_upsampled(const Tensor& small, int stride, const Tensor& large) {
  check_channels(small, large);
  DK_ASSERT(stride >= 1 && large.h == small.h * stride && large.w == small.w * stride);
}

// The first maximum in row-major order of the window that starts at (top, left), clipped to the plane; -1 if there is none.
int32_t first_maximum(const float* in, int h, int w, int top, int left, int size) {
  int32_t best = -1;
  for (int y = std::max(top, 0); y < std::min(top + size, h); ++y)
    for (int x = std::max(left, 0); x < std::min(left + size, w); ++x)
      if (best < 0 || in[y * w + x] > in[best]) best = y * w + x;
  return best;
}

}  // namespace

void max_pool(const PoolDesc& desc, const Tensor& src, const Tensor& dst, int32_t* index) {
  check_channels(src, dst);
  DK_ASSERT(dst.h == (src.h + desc.padding - desc.size) / desc.stride_y + 1);
  DK_ASSERT(dst.w == (src.w + desc.padding - desc.size) / desc.stride_x + 1);
  const int offset = -(desc.padding / 2);
  for_each_plane(dst, [&](int n, int c) {
    const float* in = plane(src, n, c);
    float* out = plane(dst, n, c);
    int32_t* at = index ? index + (static_cast<int64_t>(n) * dst.c + c) * plane_size(dst) : nullptr;
    for (int y = 0; y < dst.h; ++y)
      for (int x = 0; x < dst.w; ++x) {
        const int64_t p = static_cast<int64_t>(y) * dst.w + x;
        const int32_t best = first_maximum(in, src.h, src.w, offset + y * desc.stride_y, offset + x * desc.stride_x, desc.size);
        out[p] = best < 0 ? -std::numeric_limits<float>::infinity() : in[best];
        if (at) at[p] = best;
      }
  });
}

void max_pool_backward(const Tensor& ddst, const int32_t* index, const Tensor& dsrc, bool accumulate) {
  check_channels(ddst, dsrc);
  std::vector<double> sum(static_cast<size_t>(plane_size(dsrc)));
  for_each_plane(ddst, [&](int n, int c) {
    const float* delta = plane(ddst, n, c);
    const int32_t* at = index + (static_cast<int64_t>(n) * ddst.c + c) * plane_size(ddst);
    std::fill(sum.begin(), sum.end(), 0.0);
    for (int64_t p = 0; p < plane_size(ddst); ++p)
      if (at[p] >= 0) sum[at[p]] += delta[p];
    float* out = plane(dsrc, n, c);
    for (int64_t p = 0; p < plane_size(dsrc); ++p) store(&out[p], sum[p], accumulate);
  });
}

void global_average_pool(const Tensor& src, const Tensor& dst) {
  check_channels(src, dst);
  DK_ASSERT(dst.h == 1 && dst.w == 1);
  for_each_plane(src, [&](int n, int c) {
    const float* in = plane(src, n, c);
    double sum = 0;
    for (int64_t p = 0; p < plane_size(src); ++p) sum += in[p];
    *plane(dst, n, c) = static_cast<float>(sum / plane_size(src));
  });
}

void global_average_pool_backward(const Tensor& ddst, const Tensor& dsrc, bool accumulate) {
  check_channels(ddst, dsrc);
  DK_ASSERT(ddst.h == 1 && ddst.w == 1);
  for_each_plane(dsrc, [&](int n, int c) {
    const double share = static_cast<double>(*plane(ddst, n, c)) / plane_size(dsrc);
    float* out = plane(dsrc, n, c);
    for (int64_t p = 0; p < plane_size(dsrc); ++p) store(&out[p], share, accumulate);
  });
}

void upsample(const Tensor& src, int stride, float scale, const Tensor& dst) {
  check_upsampled(src, stride, dst);
  for_each_plane(dst, [&](int n, int c) {
    const float* in = plane(src, n, c);
    float* out = plane(dst, n, c);
    for (int y = 0; y < dst.h; ++y)
      for (int x = 0; x < dst.w; ++x) out[y * dst.w + x] = scale * in[y / stride * src.w + x / stride];
  });
}

void upsample_backward(const Tensor& ddst, int stride, float scale, const Tensor& dsrc, bool accumulate) {
  check_upsampled(dsrc, stride, ddst);
  for_each_plane(dsrc, [&](int n, int c) {
    const float* delta = plane(ddst, n, c);
    float* out = plane(dsrc, n, c);
    for (int y = 0; y < dsrc.h; ++y)
      for (int x = 0; x < dsrc.w; ++x) {
        double sum = 0;
        for (int dy = 0; dy < stride; ++dy)
          for (int dx = 0; dx < stride; ++dx) sum += delta[(y * stride + dy) * ddst.w + x * stride + dx];
        store(&out[y * dsrc.w + x], scale * sum, accumulate);
      }
  });
}

}  // namespace dk::reference
