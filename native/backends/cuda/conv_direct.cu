// Convolution by plain kernels, one thread a result: an output, a delta of the input, a delta of a weight. Right, not fast: sums
// are in double, so that a sum of thousands of products loses nothing.
#include "cuda/conv_engine.h"
#include "cuda/norm.h"
#include "cuda/task.h"
#include "cuda/view.h"

namespace dk::cuda {

StoredWeights::StoredWeights(const ConvWeightShape& s)
    : shape(s), oc_padded(round_up(s.oc, kLanes)), ic_padded(round_up(s.ic / s.groups, kLanes)) {}

void StoredWeights::pack(const float* host_oihw, float* host_stored) const {
  std::memset(host_stored, 0, static_cast<size_t>(floats()) * sizeof(float));
  const int64_t group = shape.ic / shape.groups, area = static_cast<int64_t>(shape.size) * shape.size;
  for (int64_t o = 0; o < shape.oc; ++o)
    for (int64_t i = 0; i < group; ++i)
      for (int64_t k = 0; k < area; ++k) host_stored[(o * area + k) * ic_padded + i] = host_oihw[(o * group + i) * area + k];
}

void StoredWeights::unpack(const float* host_stored, float* host_oihw) const {
  const int64_t group = shape.ic / shape.groups, area = static_cast<int64_t>(shape.size) * shape.size;
  for (int64_t o = 0; o < shape.oc; ++o)
    for (int64_t i = 0; i < group; ++i)
      for (int64_t k = 0; k < area; ++k) host_oihw[(o * group + i) * area + k] = host_stored[(o * area + k) * ic_padded + i];
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

// The place of x that tap k of the output at (oy, ox) reads; false outside.
template <class T>
__device__ __forceinline__ bool tap(const Geometry& g, const View<T>& x, int64_t image, int oy, int ox, int k, int64_t* place) {
  const int iy = oy * g.stride_y - g.padding + k / g.size * g.dilation,
            ix = ox * g.stride_x - g.padding + k % g.size * g.dilation;
  if (iy < 0 || iy >= x.h || ix < 0 || ix >= x.w) return false;
  *place = (image * x.h + iy) * x.w + ix;
  return true;
}

// One thread a channel of a place, padded channels too.
struct Target {
  int64_t place, image;
  int y, x, channel;
};

template <class T>
__device__ __forceinline__ bool my_target(const View<T>& view, Target* target) {
  const int channels = view.vectors * kLanes;
  const int64_t task = task_index();
  target->place = task / channels;
  target->channel = static_cast<int>(task % channels);
  target->x = static_cast<int>(target->place % view.w);
  target->y = static_cast<int>(target->place / view.w % view.h);
  target->image = target->place / (static_cast<int64_t>(view.w) * view.h);
  return target->place < view.places;
}

template <class T>
__global__ void __launch_bounds__(kBlock)
    conv_forward_kernel(Geometry g, View<T> x, const T* weights, const float* bias, Activation act, View<T> residual, View<T> y) {
  Target at;
  if (!my_target(y, &at)) return;
  double total = 0;
  const int first = at.channel / g.oc_group * g.ic_group;
  for (int k = 0; k < g.area && at.channel < y.c; ++k) {
    int64_t from;
    if (!tap(g, x, at.image, at.y, at.x, k, &from)) continue;
    const T* pixel = x.data + from * x.stride + first;
    for (int ic = 0; ic < g.ic_group; ++ic)
      total += static_cast<double>(to_float(pixel[ic])) * to_float(weights[weight_at(g, at.channel, k, ic)]);
  }
  float sum = static_cast<float>(total);
  if (at.channel < y.c) {
    sum = activate(act, bias != nullptr ? sum + bias[at.channel] : sum);
    if (residual.data != nullptr) sum += to_float(residual.data[at.place * residual.stride + at.channel]);
  }
  store_one(y.data + at.place * y.stride + at.channel, sum);
}

template <class T>
__global__ void __launch_bounds__(kBlock)
    conv_backward_data_kernel(Geometry g, View<T> dy, const T* weights, View<T> dx, bool accumulate) {
  Target at;
  if (!my_target(dx, &at)) return;
  T* to = dx.data + at.place * dx.stride + at.channel;
  double sum = accumulate && at.channel < dx.c ? static_cast<double>(to_float(*to)) : 0.0;
  const int group = at.channel / g.ic_group, ic = at.channel % g.ic_group;
  for (int k = 0; k < g.area && at.channel < dx.c; ++k) {
    const int sy = at.y + g.padding - k / g.size * g.dilation, sx = at.x + g.padding - k % g.size * g.dilation;
    if (sy < 0 || sx < 0 || sy % g.stride_y != 0 || sx % g.stride_x != 0) continue;
    const int oy = sy / g.stride_y, ox = sx / g.stride_x;
    if (oy >= dy.h || ox >= dy.w) continue;
    const T* delta = dy.data + ((at.image * dy.h + oy) * dy.w + ox) * dy.stride;
    for (int o = 0; o < g.oc_group; ++o) {
      const int oc = group * g.oc_group + o;
      sum += static_cast<double>(to_float(delta[oc])) * to_float(weights[weight_at(g, oc, k, ic)]);
    }
  }
  store_one(to, static_cast<float>(sum));
}

// One thread a weight; rows of outputs are added up in float, the rows in double.
template <class T, class Delta>
__global__ void __launch_bounds__(kBlock)
    conv_backward_weights_kernel(Geometry g, View<T> x, View<T> dy, int64_t count, Delta* dweights, bool accumulate) {
  const int64_t task = task_index();
  if (task >= count) return;
  const int ic = static_cast<int>(task % g.ic_padded), k = static_cast<int>(task / g.ic_padded % g.area);
  const int oc = static_cast<int>(task / (static_cast<int64_t>(g.ic_padded) * g.area));
  double sum = accumulate ? static_cast<double>(to_float(dweights[task])) : 0.0;
  if (ic < g.ic_group && oc < dy.c) {
    const int c = oc / g.oc_group * g.ic_group + ic;
    for (int64_t row = 0; row < static_cast<int64_t>(dy.n) * dy.h; ++row) {
      float part = 0;
      for (int ox = 0; ox < dy.w; ++ox) {
        int64_t from;
        if (!tap(g, x, row / dy.h, static_cast<int>(row % dy.h), ox, k, &from)) continue;
        part += to_float(x.data[from * x.stride + c]) * to_float(dy.data[(row * dy.w + ox) * dy.stride + oc]);
      }
      sum += static_cast<double>(part);
    }
  }
  store_one(dweights + task, static_cast<float>(sum));
}

class DirectEngine final : public ConvEngine {
 public:
  DirectEngine(const Context& context, const ConvDesc& desc) : context_(context), stored_(desc.weights) {
    const ConvWeightShape& w = desc.weights;
    geometry_.size = w.size, geometry_.area = w.size * w.size;
    geometry_.stride_x = desc.stride_x, geometry_.stride_y = desc.stride_y;
    geometry_.padding = desc.padding, geometry_.dilation = desc.dilation;
    geometry_.ic_group = w.ic / w.groups, geometry_.oc_group = w.oc / w.groups;
    geometry_.ic_padded = stored_.ic_padded;
  }

  int64_t workspace_bytes() const override { return 0; }

  void forward(const Tensor& x, const void* weights, const Tensor& y, void*) override { run_forward(x, weights, {}, y); }
  void backward_data(const Tensor& dy, const void* weights, const Tensor& dx, void*) override {
    run_backward_data(dy, weights, dx, false);
  }
  void backward_weights(const Tensor& x, const Tensor& dy, void* dweights, void*) override {
    with_element(x.dtype, [&]<class T>() { run_backward_weights<T>(x, dy, static_cast<T*>(dweights), false); });
  }

  bool forward_fused(const Tensor& x, const void* weights, const Epilogue& epilogue, const Tensor& y, void*,
                     const std::function<void()>& apart) override {
    if (y.dtype != x.dtype) return apart(), false;
    run_forward(x, weights, epilogue, y);
    if (epilogue.sums != nullptr)
      channel_sums(context_, y, epilogue.sums->rolling_mean, epilogue.sums->mean, epilogue.sums->variance);
    return true;
  }
  bool backward_data_fused(const Tensor& dy, const void* weights, const Tensor& dx, bool accumulate, const NormBackward* layer,
                           void*, const std::function<void(const Tensor&)>&) override {
    run_backward_data(dy, weights, dx, accumulate);
    if (layer != nullptr) norm_gradient(context_, *layer, dx);
    return true;
  }
  bool backward_weights_fused(const Tensor& x, const Tensor& dy, float* dweights, bool accumulate, void*,
                              const std::function<void(float*)>&) override {
    with_element(x.dtype, [&]<class T>() { run_backward_weights<T>(x, dy, dweights, accumulate); });
    return true;
  }

 private:
  void run_forward(const Tensor& x, const void* weights, const Epilogue& epilogue, const Tensor& y) {
    with_element(y.dtype, [&]<class T>() {
      const View<T> to = make_view<T>(y);
      DK_LAUNCH(conv_forward_kernel<T>, blocks_for(to.places * to.vectors * kLanes), kBlock, context_.stream, geometry_,
                make_view<T>(x), static_cast<const T*>(weights), epilogue.bias, epilogue.activation,
                epilogue.residual != nullptr ? make_view<T>(*epilogue.residual) : View<T>{}, to);
    });
    DK_CUDA_LAUNCHED("convolution");
  }

  void run_backward_data(const Tensor& dy, const void* weights, const Tensor& dx, bool accumulate) {
    with_element(dx.dtype, [&]<class T>() {
      const View<T> to = make_view<T>(dx);
      DK_LAUNCH(conv_backward_data_kernel<T>, blocks_for(to.places * to.vectors * kLanes), kBlock, context_.stream, geometry_,
                make_view<T>(dy), static_cast<const T*>(weights), to, accumulate);
    });
    DK_CUDA_LAUNCHED("convolution, deltas of the input");
  }

  template <class T, class Delta>
  void run_backward_weights(const Tensor& x, const Tensor& dy, Delta* dweights, bool accumulate) {
    DK_LAUNCH((conv_backward_weights_kernel<T, Delta>), blocks_for(stored_.floats()), kBlock, context_.stream, geometry_,
              make_view<T>(x), make_view<T>(dy), stored_.floats(), dweights, accumulate);
    DK_CUDA_LAUNCHED("convolution, deltas of the weights");
  }

  const Context& context_;
  const StoredWeights stored_;
  Geometry geometry_{};
};

}  // namespace

std::unique_ptr<ConvEngine> make_direct_engine(const Context& context, const ConvDesc& desc) {
  return std::make_unique<DirectEngine>(context, desc);
}

}  // namespace dk::cuda
