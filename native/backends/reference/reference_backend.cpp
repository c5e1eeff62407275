// The class behind make_reference_backend(): memory, tensors, products, dropout and the update of parameters. Convolution,
// normalisation and pooling live in files of their own beside this one. "Device" memory is ordinary memory.
#include "reference/reference_backend.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "backend/host_backend.h"
#include "math/dropout.h"
#include "reference/reference_conv.h"
#include "reference/reference_norm.h"
#include "reference/reference_pool.h"
#include "reference/reference_tensor.h"

namespace dk {
namespace {

using reference::check;
using reference::check_same_shape;
using reference::for_each_plane;
using reference::plane;
using reference::plane_size;
using reference::store;

constexpr int64_t kAlignment = 64;

// b is of a's shape, or holds one value per image and channel.
bool per_channel(const Tensor& a, const Tensor& b) {
  check(a);
  check(b);
  DK_ASSERT(a.n == b.n && a.c == b.c);
  if (a.h == b.h && a.w == b.w) return false;
  DK_ASSERT(b.h == 1 && b.w == 1);
  return true;
}

class ReferenceBackend final : public HostBackend {
 public:
  std::string name() const override { return "reference"; }
  std::string description() const override { return "reference (plain loops, one thread, f32 with double sums)"; }
  bool supports(DType dtype) const override { return dtype == DType::f32; }

  void zero(void* device, int64_t bytes) override { std::memset(device, 0, static_cast<size_t>(bytes)); }

  int channel_granularity() const override { return 1; }
  int64_t tensor_bytes(int n, int c, int h, int w, DType dtype, bool) const override;
  void import_planar(const float* host_nchw, const Tensor& dst) override;
  void export_planar(const Tensor& src, float* host_nchw) override;
  void fill(const Tensor& dst, float value) override;
  void copy(const Tensor& src, const Tensor& dst, float scale, bool accumulate) override;
  void copy_channels(const Tensor& src, int src_first, const Tensor& dst, int dst_first, int count, bool accumulate) override;

  int64_t conv_weight_floats(const ConvWeightShape& shape) const override { return shape.count(); }
  void pack_conv_weights(const ConvWeightShape& shape, const float* host_oihw, float* stored) override {
    std::copy_n(host_oihw, shape.count(), stored);
  }
  void unpack_conv_weights(const ConvWeightShape& shape, const float* stored, float* host_oihw) override {
    std::copy_n(stored, shape.count(), host_oihw);
  }
  std::unique_ptr<ConvPlan> make_conv(const ConvDesc& desc) override { return reference::make_conv_plan(desc); }

  void batch_norm_train(const Tensor& x, const BatchNormArrays& bn, Activation act, const Tensor* residual,
                        const Tensor& out) override {
    reference::batch_norm_train(x, bn, act, residual, out);
  }
  void batch_norm_frozen(const Tensor& x, const BatchNormArrays& bn, Activation act, const Tensor* residual,
                         const Tensor& out) override {
    reference::batch_norm_frozen(x, bn, act, residual, out);
  }
  void batch_norm_backward(const Tensor& dout, const Tensor& x, const BatchNormArrays& bn, Activation act,
                           const Tensor& dx) override {
    reference::batch_norm_backward(dout, x, bn, act, dx);
  }
  void bias_activation(const Tensor& x, const float* bias, Activation act, const Tensor* residual, const Tensor& out) override {
    reference::bias_activation(x, bias, act, residual, out);
  }
  void bias_activation_backward(const Tensor& dout, const Tensor& x, const float* bias, Activation act, float* dbias,
                                const Tensor& dx) override {
    reference::bias_activation_backward(dout, x, bias, act, dbias, dx);
  }

  int64_t max_pool_index_bytes(const PoolDesc&, const Tensor& dst) const override {
    return dst.count() * static_cast<int64_t>(sizeof(int32_t));
  }
  void max_pool(const PoolDesc& desc, const Tensor& src, const Tensor& dst, void* index) override {
    reference::max_pool(desc, src, dst, static_cast<int32_t*>(index));
  }
  void max_pool_backward(const PoolDesc&, const Tensor& ddst, const void* index, const Tensor& dsrc, bool accumulate) override {
    reference::max_pool_backward(ddst, static_cast<const int32_t*>(index), dsrc, accumulate);
  }
  void global_average_pool(const Tensor& src, const Tensor& dst) override { reference::global_average_pool(src, dst); }
  void global_average_pool_backward(const Tensor& ddst, const Tensor& dsrc, bool accumulate) override {
    reference::global_average_pool_backward(ddst, dsrc, accumulate);
  }
  void upsample(const Tensor& src, int stride, float scale, const Tensor& dst) override {
    reference::upsample(src, stride, scale, dst);
  }
  void upsample_backward(const Tensor& ddst, int stride, float scale, const Tensor& dsrc, bool accumulate) override {
    reference::upsample_backward(ddst, stride, scale, dsrc, accumulate);
  }

  void multiply(const Tensor& a, const Tensor& b, const Tensor& dst, bool accumulate) override;
  void multiply_reduce(const Tensor& a, const Tensor& b, const Tensor& dst, bool accumulate) override;
  void dropout(const Tensor& src, float probability, uint64_t seed, uint32_t layer, const StepValues* step, const Tensor& dst,
               bool accumulate) override;

 protected:
  bool update_array(const SgdArgs& array, float rate) override;
  void average_towards(float* ema, const float* w, int64_t count, float share) override;

 private:
  void* take_memory(int64_t bytes) override;
};

void* ReferenceBackend::take_memory(int64_t bytes) {
  const size_t rounded = (static_cast<size_t>(bytes) + kAlignment - 1) / kAlignment * kAlignment;
  const size_t size = std::max<size_t>(rounded, kAlignment);
  void* memory = std::aligned_alloc(kAlignment, size);
  if (!memory) fail(Status::memory, "no memory for %lld bytes", static_cast<long long>(bytes));
  return std::memset(memory, 0, size);
}

int64_t ReferenceBackend::tensor_bytes(int n, int c, int h, int w, DType dtype, bool) const {
  DK_ASSERT(supports(dtype) && n >= 0 && c >= 0 && h >= 0 && w >= 0);
  int64_t bytes = static_cast<int64_t>(sizeof(float));
  for (const int extent : {n, c, h, w})
    if (__builtin_mul_overflow(bytes, static_cast<int64_t>(extent), &bytes))
      fail(Status::memory, "a tensor of %d x %d x %d x %d values can't be addressed", n, c, h, w);
  return bytes;
}

void ReferenceBackend::import_planar(const float* host_nchw, const Tensor& dst) {
  check(dst);
  const int64_t places = plane_size(dst);
  for_each_plane(dst, [&](int n, int c) {
    std::copy_n(host_nchw + (static_cast<int64_t>(n) * dst.c + c) * places, places, plane(dst, n, c));
  });
}

void ReferenceBackend::export_planar(const Tensor& src, float* host_nchw) {
  check(src);
  const int64_t places = plane_size(src);
  for_each_plane(src, [&](int n, int c) {
    std::copy_n(plane(src, n, c), places, host_nchw + (static_cast<int64_t>(n) * src.c + c) * places);
  });
}

void ReferenceBackend::fill(const Tensor& dst, float value) {
  check(dst);
  for_each_plane(dst, [&](int n, int c) { std::fill_n(plane(dst, n, c), plane_size(dst), value); });
}

void ReferenceBackend::copy(const Tensor& src, const Tensor& dst, float scale, bool accumulate) {
  check_same_shape(src, dst);
  for_each_plane(dst, [&](int n, int c) {
    const float* in = plane(src, n, c);
    float* out = plane(dst, n, c);
    for (int64_t p = 0; p < plane_size(dst); ++p) store(&out[p], static_cast<double>(scale) * in[p], accumulate);
  });
}

void ReferenceBackend::copy_channels(const Tensor& src, int src_first, const Tensor& dst, int dst_first, int count,
                                     bool accumulate) {
  DK_ASSERT(src_first >= 0 && dst_first >= 0 && count >= 0 && src_first + count <= src.c && dst_first + count <= dst.c);
  Tensor from = src, to = dst;
  from.c_offset += src_first;
  to.c_offset += dst_first;
  from.c = to.c = count;
  copy(from, to, 1.0f, accumulate);
}

void ReferenceBackend::multiply(const Tensor& a, const Tensor& b, const Tensor& dst, bool accumulate) {
  check_same_shape(a, dst);
  const int step = per_channel(a, b) ? 0 : 1;
  for_each_plane(dst, [&](int n, int c) {
    const float* left = plane(a, n, c);
    const float* right = plane(b, n, c);
    float* out = plane(dst, n, c);
    for (int64_t p = 0; p < plane_size(dst); ++p) store(&out[p], static_cast<double>(left[p]) * right[p * step], accumulate);
  });
}

void ReferenceBackend::multiply_reduce(const Tensor& a, const Tensor& b, const Tensor& dst, bool accumulate) {
  check_same_shape(a, b);
  check(dst);
  DK_ASSERT(dst.n == a.n && dst.c == a.c && dst.h == 1 && dst.w == 1);
  for_each_plane(a, [&](int n, int c) {
    const float* left = plane(a, n, c);
    const float* right = plane(b, n, c);
    double sum = 0;
    for (int64_t p = 0; p < plane_size(a); ++p) sum += static_cast<double>(left[p]) * right[p];
    store(plane(dst, n, c), sum, accumulate);
  });
}

void ReferenceBackend::dropout(const Tensor& src, float probability, uint64_t seed, uint32_t layer, const StepValues* step,
                               const Tensor& dst, bool accumulate) {
  check_same_shape(src, dst);
  const double scale = dropout_scale(probability);
  const uint32_t stream = dropout_stream(layer, step->first_image);
  uint64_t element = 0;
  Philox4 block{};
  for_each_plane(dst, [&](int n, int c) {
    const float* in = plane(src, n, c);
    float* out = plane(dst, n, c);
    for (int64_t p = 0; p < plane_size(dst); ++p, ++element) {
      if (element % 4 == 0) block = dropout_block(seed, step->iteration, stream, element / 4);
      store(&out[p], dropout_keeps(block.v[element % 4], probability) ? scale * in[p] : 0.0, accumulate);
    }
  });
}

bool ReferenceBackend::update_array(const SgdArgs& args, float rate) {
  bool finite = true;
  for (int64_t i = 0; i < args.count; ++i) {
    const double w = args.w[i];
    const double v = static_cast<double>(args.v[i]) + args.g[i] - args.decay * w;
    double updated = w + rate * v;
    if (args.clip > 0) updated = std::clamp(updated, static_cast<double>(-args.clip), static_cast<double>(args.clip));
    args.w[i] = static_cast<float>(updated);
    args.v[i] = static_cast<float>(args.momentum * v);
    finite = finite && std::isfinite(args.w[i]);
  }
  return finite;
}

void ReferenceBackend::average_towards(float* ema, const float* w, int64_t count, float share) {
  for (int64_t i = 0; i < count; ++i) ema[i] = static_cast<float>(static_cast<double>(share) * ema[i] + (1.0 - share) * w[i]);
}

}  // namespace

std::unique_ptr<Backend> make_reference_backend() { return std::make_unique<ReferenceBackend>(); }

}  // namespace dk
