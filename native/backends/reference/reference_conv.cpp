// Direct convolution and its two gradients (darknet.md 3.1.2): cross-correlation, zero padding, groups, dilation.
// Every output plane is summed in a plane of doubles, row by row, so that the inner loops run over neighbouring memory.
#include "reference/reference_conv.h"

#include <algorithm>

#include "reference/reference_tensor.h"

namespace dk::reference {
namespace {

// The outputs [first, end) whose input start + i*stride lies inside [0, size).
struct Range {
  int first, end;
};

Range inside(int start, int stride, int size, int outputs) {
  const int first = start >= 0 ? 0 : (-start + stride - 1) / stride;
  const int end = start >= size ? 0 : (size - 1 - start) / stride + 1;
  return {first, std::min(end, outputs)};
}

class DirectConv final : public ConvPlan {
 public:
  explicit DirectConv(const ConvDesc& desc)
      : d_(desc), ic_(desc.weights.ic / desc.weights.groups), oc_(desc.weights.oc / desc.weights.groups) {}

  int64_t workspace_bytes() const override {
    const int64_t in = static_cast<int64_t>(d_.ih) * d_.iw, out = static_cast<int64_t>(d_.oh) * d_.ow;
    return std::max(in, out) * static_cast<int64_t>(sizeof(double));
  }
  int64_t private_bytes() const override { return 0; }
  void weights_changed(const float*) override {}

  void forward(const Tensor& src, const float* weights, const float* bias, const Tensor* residual, const Tensor& dst,
               void* workspace) override;
  void backward_data(const Tensor& ddst, const float* weights, const Tensor& dsrc, bool accumulate, void* workspace) override;
  void backward_weights(const Tensor& src, const Tensor& ddst, float* dweights, bool accumulate, void* workspace) override;

 private:
  // body(ky, kx, rows, columns, y, x): the outputs that kernel place (ky, kx) reaches, and the input place of output (0, 0).
  template <class Body>
  void for_each_tap(Body body) const {
    for (int ky = 0; ky < d_.weights.size; ++ky)
      for (int kx = 0; kx < d_.weights.size; ++kx) {
        const int y = ky * d_.dilation - d_.padding, x = kx * d_.dilation - d_.padding;
        body(ky, kx, inside(y, d_.stride_y, d_.ih, d_.oh), inside(x, d_.stride_x, d_.iw, d_.ow), y, x);
      }
  }

  int64_t weight_index(int o, int i) const { return (static_cast<int64_t>(o) * ic_ + i) * d_.weights.size * d_.weights.size; }

  void check_tensors(const Tensor& in, const Tensor& out) const {
    check(in);
    check(out);
    DK_ASSERT(in.n == d_.n && in.c == d_.weights.ic && in.h == d_.ih && in.w == d_.iw);
    DK_ASSERT(out.n == d_.n && out.c == d_.weights.oc && out.h == d_.oh && out.w == d_.ow);
  }

  const ConvDesc d_;
  const int ic_, oc_;  // channels in a group
};

void DirectConv::forward(const Tensor& src, const float* weights, const float* bias, const Tensor* residual, const Tensor& dst,
                         void* workspace) {
  check_tensors(src, dst);
  if (d_.fused_residual) check_same_shape(*residual, dst);
  double* sum = static_cast<double*>(workspace);
  const int64_t places = plane_size(dst);
  for_each_plane(dst, [&](int n, int o) {
    std::fill(sum, sum + places, bias ? bias[o] : 0.0);
    for (int i = 0; i < ic_; ++i) {
      const float* in = plane(src, n, o / oc_ * ic_ + i);
      const float* w = weights + weight_index(o, i);
      for_each_tap([&](int ky, int kx, Range rows, Range columns, int y, int x) {
        const double weight = w[ky * d_.weights.size + kx];
        for (int row = rows.first; row < rows.end; ++row) {
          const float* from = in + static_cast<int64_t>(y + row * d_.stride_y) * d_.iw + x;
          double* to = sum + static_cast<int64_t>(row) * d_.ow;
          for (int column = columns.first; column < columns.end; ++column) to[column] += weight * from[column * d_.stride_x];
        }
      });
    }
    const float* add = d_.fused_residual ? plane(*residual, n, o) : nullptr;
    float* out = plane(dst, n, o);
    for (int64_t p = 0; p < places; ++p)
      out[p] = activate(d_.fused_activation, static_cast<float>(sum[p])) + (add ? add[p] : 0.0f);
  });
}

void DirectConv::backward_data(const Tensor& ddst, const float* weights, const Tensor& dsrc, bool accumulate, void* workspace) {
  DK_ASSERT(d_.training);
  check_tensors(dsrc, ddst);
  double* sum = static_cast<double*>(workspace);
  const int64_t places = plane_size(dsrc);
  for_each_plane(dsrc, [&](int n, int channel) {
    const int group = channel / ic_, i = channel % ic_;
    std::fill(sum, sum + places, 0.0);
    for (int o = group * oc_; o < (group + 1) * oc_; ++o) {
      const float* delta = plane(ddst, n, o);
      const float* w = weights + weight_index(o, i);
      for_each_tap([&](int ky, int kx, Range rows, Range columns, int y, int x) {
        const double weight = w[ky * d_.weights.size + kx];
        for (int row = rows.first; row < rows.end; ++row) {
          const float* from = delta + static_cast<int64_t>(row) * d_.ow;
          double* to = sum + static_cast<int64_t>(y + row * d_.stride_y) * d_.iw + x;
          for (int column = columns.first; column < columns.end; ++column) to[column * d_.stride_x] += weight * from[column];
        }
      });
    }
    float* out = plane(dsrc, n, channel);
    for (int64_t p = 0; p < places; ++p) store(&out[p], sum[p], accumulate);
  });
}

void DirectConv::backward_weights(const Tensor& src, const Tensor& ddst, float* dweights, bool accumulate, void*) {
  DK_ASSERT(d_.training);
  check_tensors(src, ddst);
  for (int o = 0; o < d_.weights.oc; ++o)
    for (int i = 0; i < ic_; ++i)
      for_each_tap([&](int ky, int kx, Range rows, Range columns, int y, int x) {
        double sum = 0;
        for (int n = 0; n < d_.n; ++n) {
          const float* in = plane(src, n, o / oc_ * ic_ + i);
          const float* delta = plane(ddst, n, o);
          for (int row = rows.first; row < rows.end; ++row) {
            const float* a = in + static_cast<int64_t>(y + row * d_.stride_y) * d_.iw + x;
            const float* b = delta + static_cast<int64_t>(row) * d_.ow;
#pragma omp simd reduction(+ : sum)
            for (int column = columns.first; column < columns.end; ++column)
              sum += static_cast<double>(a[column * d_.stride_x]) * b[column];
          }
        }
        store(&dweights[weight_index(o, i) + ky * d_.weights.size + kx], sum, accumulate);
      });
}

}  // namespace

std::unique_ptr<ConvPlan> make_conv_plan(const ConvDesc& desc) {
  const ConvWeightShape& w = desc.weights;
  DK_ASSERT(desc.dtype == DType::f32);
  DK_ASSERT(w.groups >= 1 && w.ic % w.groups == 0 && w.oc % w.groups == 0 && w.size >= 1);
  DK_ASSERT(desc.stride_x >= 1 && desc.stride_y >= 1 && desc.dilation >= 1 && desc.padding >= 0);
  const int extent = (w.size - 1) * desc.dilation + 1;
  DK_ASSERT(desc.oh == (desc.ih + 2 * desc.padding - extent) / desc.stride_y + 1);
  DK_ASSERT(desc.ow == (desc.iw + 2 * desc.padding - extent) / desc.stride_x + 1);
  DK_ASSERT(!desc.training || (desc.fused_activation == Activation::linear && !desc.fused_residual));
  return std::make_unique<DirectConv>(desc);
}

}  // namespace dk::reference
