// One thread a result: an output, a delta of the input, a delta of a weight. bf16 tensors meet float weights, sums are in float.
#include "cuda/conv_direct.h"

#include "cuda/view.h"

namespace dk::cuda {

StoredWeights::StoredWeights(const ConvWeightShape& s)
    : shape(s), oc_padded(round_up(s.oc, kLanes)), ic_padded(round_up(s.ic / s.groups, kLanes)) {}

void StoredWeights::pack(const float* host_oihw, float* host_stored) const {
  std::memset(host_stored, 0, static_cast<size_t>(floats()) * sizeof(float));
  const int group = shape.ic / shape.groups, area = shape.size * shape.size;
  for (int o = 0; o < shape.oc; ++o)
    for (int i = 0; i < group; ++i)
      for (int k = 0; k < area; ++k)
        host_stored[(static_cast<int64_t>(o) * area + k) * ic_padded + i] =
            host_oihw[(static_cast<int64_t>(o) * group + i) * area + k];
}

void StoredWeights::unpack(const float* host_stored, float* host_oihw) const {
  const int group = shape.ic / shape.groups, area = shape.size * shape.size;
  for (int o = 0; o < shape.oc; ++o)
    for (int i = 0; i < group; ++i)
      for (int k = 0; k < area; ++k)
        host_oihw[(static_cast<int64_t>(o) * group + i) * area + k] =
            host_stored[(static_cast<int64_t>(o) * area + k) * ic_padded + i];
}

namespace {

// The numbers of a convolution as kernels need them.
struct Geometry {
  int size, area, stride_x, stride_y, padding, dilation;
  int ic_group, oc_group;  // channels of one group
  int ic_padded;
};

__device__ __forceinline__ int64_t weight_at(const Geometry& g, int oc, int k, int ic) {
  return (static_cast<int64_t>(oc) * g.area + k) * g.ic_padded + ic;
}

// x and x's row and column for tap k of the output at (oy, ox); false outside.
template <class T>
__device__ __forceinline__ bool tap(const Geometry& g, const View<T>& src, int64_t image, int oy, int ox, int k, int64_t* place) {
  const int y = oy * g.stride_y - g.padding + k / g.size * g.dilation, x = ox * g.stride_x - g.padding + k % g.size * g.dilation;
  if (y < 0 || y >= src.h || x < 0 || x >= src.w) return false;
  *place = (image * src.h + y) * src.w + x;
  return true;
}

struct Fused {
  const float* bias;
  Activation activation;
  bool residual;
};

// One thread an output channel of a place, padded channels too.
template <class T>
__global__ void __launch_bounds__(kBlock)
    conv_forward_kernel(Geometry g, View<T> src, const float* weights, Fused fused, View<T> residual, View<T> dst) {
  const int channels = dst.vectors * kLanes;
  const int64_t task = task_index(), place = task / channels;
  const int oc = static_cast<int>(task % channels);
  if (place >= dst.places) return;
  T* to = dst.data + place * dst.stride + oc;
  if (oc >= dst.c) return store_one(to, 0.0f);
  const int ox = static_cast<int>(place % dst.w), oy = static_cast<int>(place / dst.w % dst.h);
  const int64_t image = place / (static_cast<int64_t>(dst.w) * dst.h);
  const int first = oc / g.oc_group * g.ic_group;
  float sum = 0;
  for (int k = 0; k < g.area; ++k) {
    int64_t from;
    if (!tap(g, src, image, oy, ox, k, &from)) continue;
    const T* pixel = src.data + from * src.stride + first;
    for (int ic = 0; ic < g.ic_group; ++ic) sum += to_float(pixel[ic]) * weights[weight_at(g, oc, k, ic)];
  }
  if (fused.bias != nullptr) sum += fused.bias[oc];
  sum = activate(fused.activation, sum);
  if (fused.residual) sum += to_float(residual.data[place * residual.stride + oc]);
  store_one(to, sum);
}

template <class T>
__global__ void __launch_bounds__(kBlock)
    conv_backward_data_kernel(Geometry g, View<T> ddst, const float* weights, View<T> dsrc, bool accumulate) {
  const int channels = dsrc.vectors * kLanes;
  const int64_t task = task_index(), place = task / channels;
  const int c = static_cast<int>(task % channels);
  if (place >= dsrc.places) return;
  T* to = dsrc.data + place * dsrc.stride + c;
  if (c >= dsrc.c) return store_one(to, 0.0f);
  const int x = static_cast<int>(place % dsrc.w), y = static_cast<int>(place / dsrc.w % dsrc.h);
  const int64_t image = place / (static_cast<int64_t>(dsrc.w) * dsrc.h);
  const int group = c / g.ic_group, ic = c % g.ic_group;
  float sum = 0;
  for (int k = 0; k < g.area; ++k) {
    const int sy = y + g.padding - k / g.size * g.dilation, sx = x + g.padding - k % g.size * g.dilation;
    if (sy < 0 || sx < 0 || sy % g.stride_y != 0 || sx % g.stride_x != 0) continue;
    const int oy = sy / g.stride_y, ox = sx / g.stride_x;
    if (oy >= ddst.h || ox >= ddst.w) continue;
    const T* delta = ddst.data + ((image * ddst.h + oy) * ddst.w + ox) * ddst.stride;
    for (int o = 0; o < g.oc_group; ++o) {
      const int oc = group * g.oc_group + o;
      sum += to_float(delta[oc]) * weights[weight_at(g, oc, k, ic)];
    }
  }
  store_one(to, accumulate ? to_float(*to) + sum : sum);
}

// One thread a weight; rows of outputs are added up in float, the rows in double.
template <class T>
__global__ void __launch_bounds__(kBlock)
    conv_backward_weights_kernel(Geometry g, View<T> src, View<T> ddst, int64_t count, float* dweights, bool accumulate) {
  const int64_t task = task_index();
  if (task >= count) return;
  const int ic = static_cast<int>(task % g.ic_padded), k = static_cast<int>(task / g.ic_padded % g.area);
  const int oc = static_cast<int>(task / (static_cast<int64_t>(g.ic_padded) * g.area));
  double sum = 0;
  if (ic < g.ic_group && oc < ddst.c) {
    const int c = oc / g.oc_group * g.ic_group + ic;
    for (int image = 0; image < ddst.n; ++image)
      for (int oy = 0; oy < ddst.h; ++oy) {
        float row = 0;
        for (int ox = 0; ox < ddst.w; ++ox) {
          int64_t from;
          if (!tap(g, src, image, oy, ox, k, &from)) continue;
          row += to_float(src.data[from * src.stride + c]) *
                 to_float(ddst.data[((static_cast<int64_t>(image) * ddst.h + oy) * ddst.w + ox) * ddst.stride + oc]);
        }
        sum += static_cast<double>(row);
      }
  }
  dweights[task] = static_cast<float>(accumulate ? dweights[task] + sum : sum);
}

class DirectConv final : public ConvPlan {
 public:
  DirectConv(const Context& context, const ConvDesc& desc) : context_(context), desc_(desc), stored_(desc.weights) {
    const ConvWeightShape& w = desc.weights;
    geometry_ = {w.size,        w.size * w.size, desc.stride_x,   desc.stride_y,    desc.padding,
                 desc.dilation, w.ic / w.groups, w.oc / w.groups, stored_.ic_padded};
  }

  int64_t workspace_bytes() const override { return 0; }
  int64_t private_bytes() const override { return 0; }
  void weights_changed(const float*) override {}

  void forward(const Tensor& src, const float* weights, const float* bias, const Tensor* residual, const Tensor& dst,
               void*) override {
    with_element(dst.dtype, [&]<class T>() {
      const View<T> to = make_view<T>(dst);
      const bool adds = desc_.fused_residual && residual != nullptr;
      DK_LAUNCH(conv_forward_kernel<T>, blocks_for(to.places * to.vectors * kLanes), kBlock, context_.stream, geometry_,
                make_view<T>(src), weights, (Fused{bias, desc_.training ? Activation::linear : desc_.fused_activation, adds}),
                adds ? make_view<T>(*residual) : View<T>{}, to);
    });
    DK_CUDA_LAUNCHED("convolution, forward");
  }

  void backward_data(const Tensor& ddst, const float* weights, const Tensor& dsrc, bool accumulate, void*) override {
    with_element(dsrc.dtype, [&]<class T>() {
      const View<T> to = make_view<T>(dsrc);
      DK_LAUNCH(conv_backward_data_kernel<T>, blocks_for(to.places * to.vectors * kLanes), kBlock, context_.stream, geometry_,
                make_view<T>(ddst), weights, to, accumulate);
    });
    DK_CUDA_LAUNCHED("convolution, deltas of the input");
  }

  void backward_weights(const Tensor& src, const Tensor& ddst, float* dweights, bool accumulate, void*) override {
    with_element(src.dtype, [&]<class T>() {
      DK_LAUNCH(conv_backward_weights_kernel<T>, blocks_for(stored_.floats()), kBlock, context_.stream, geometry_,
                make_view<T>(src), make_view<T>(ddst), stored_.floats(), dweights, accumulate);
    });
    DK_CUDA_LAUNCHED("convolution, deltas of the weights");
  }

 private:
  const Context& context_;
  const ConvDesc desc_;
  const StoredWeights stored_;
  Geometry geometry_{};
};

}  // namespace

std::unique_ptr<ConvPlan> make_direct_conv(const Context& context, const ConvDesc& desc) {
  return std::make_unique<DirectConv>(context, desc);
}

}  // namespace dk::cuda
