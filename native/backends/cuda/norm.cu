// Batch normalisation in two passes over the raw output: sums, then apply (with activation and residual); backward likewise.
// Sums are of blocks in float, shifted by the channel's first value so that a large mean costs no digits, and of all blocks in
// double, always in the same order: the same bits in every run, without atomics.
#include "cuda/norm.h"

#include <cmath>
#include <type_traits>

#include "cuda/activations.h"
#include "cuda/columns.h"
#include "cuda/norm_affine.h"
#include "cuda/norm_tail.h"

namespace dk::cuda {
namespace {

// Places a thread walks over: many where it adds up, few where it only needs its channels' figures.
constexpr int kSumSteps = 32, kApplySteps = 8, kMostApplyBlocks = 32768;

// Scratch: [2][partials][vectors * kLanes].
__device__ __forceinline__ float* partial(float* scratch, int which, unsigned slice, unsigned slices, int vectors, int vector) {
  return scratch + ((static_cast<int64_t>(which) * slices + slice) * vectors + vector) * kLanes;
}

__device__ __forceinline__ void write_partials(float* scratch, const Lanes& a, const Lanes& b, int vectors, int vector) {
  if (threadIdx.y != 0 || vector >= vectors) return;
  store(partial(scratch, 0, blockIdx.y, gridDim.y, vectors, vector), a);
  store(partial(scratch, 1, blockIdx.y, gridDim.y, vectors, vector), b);
}

// Sum over the slices of one channel.
__device__ __forceinline__ double sum_of_slices(const float* scratch, int which, int slices, int channels, int channel) {
  double sum = 0;
  for (int slice = 0; slice < slices; ++slice)
    sum += static_cast<double>(scratch[(static_cast<int64_t>(which) * slices + slice) * channels + channel]);
  return sum;
}

// shift: what is taken off; null: the channel's first value.
template <class T>
__global__ void __launch_bounds__(kBlock) moments(View<T> x, const float* shifts, float* scratch) {
  __shared__ float shared[kBlock][kLanes];
  const Column column = my_column();
  Lanes sum = zeros(), squares = zeros();
  if (column.vector < x.vectors) {
    const Lanes shift = shifts != nullptr ? load(shifts + column.vector * kLanes) : load(x.at(0, column.vector));
    for (int64_t place = column.place; place < x.places; place += column.step) {
      const Lanes value = load(x.at(place, column.vector));
      for (int i = 0; i < kLanes; ++i) {
        const float difference = value.v[i] - shift.v[i];
        sum.v[i] += difference;
        squares.v[i] += difference * difference;
      }
    }
  }
  sum = sum_of_rows(sum, shared);
  squares = sum_of_rows(squares, shared);
  write_partials(scratch, sum, squares, x.vectors, column.vector);
}

// What was added up of a channel's values less the shift becomes the statistics.
__device__ __forceinline__ void finish_channel(double count, double shift, double sum, double squares, const BatchNormArrays& bn,
                                               int c) {
  const double shifted = sum / count, mean = shift + shifted;
  const double around_mean = squares - count * shifted * shifted;
  const double total = around_mean > 0 ? around_mean : 0;
  bn.mean[c] = static_cast<float>(mean);
  bn.variance[c] = static_cast<float>(total / count);
  bn.rolling_mean[c] = roll(bn.rolling_mean[c], bn.mean[c]);
  bn.rolling_variance[c] = roll(bn.rolling_variance[c], unbiased(bn.variance[c], count));
}

// One thread a channel.
template <class T>
__global__ void finish_moments(View<T> x, const float* scratch, int slices, BatchNormArrays bn) {
  const int c = static_cast<int>(task_index());
  if (c >= x.c) return;
  finish_channel(static_cast<double>(x.places), static_cast<double>(to_float(x.data[c])),
                 sum_of_slices(scratch, 0, slices, x.vectors * kLanes, c),
                 sum_of_slices(scratch, 1, slices, x.vectors * kLanes, c), bn, c);
}

// The same from sums that lie where the statistics go.
__global__ void finish_sums(int channels, double count, BatchNormArrays bn) {
  const int c = static_cast<int>(task_index());
  if (c < channels)
    finish_channel(count, static_cast<double>(bn.rolling_mean[c]), static_cast<double>(bn.mean[c]),
                   static_cast<double>(bn.variance[c]), bn, c);
}

__global__ void add_slices(const float* scratch, int slices, int channels, float* sum, float* squares) {
  const int c = static_cast<int>(task_index());
  if (c >= channels) return;
  sum[c] = static_cast<float>(sum_of_slices(scratch, 0, slices, channels, c));
  squares[c] = static_cast<float>(sum_of_slices(scratch, 1, slices, channels, c));
}

template <class T, class Act, bool with_residual>
__global__ void __launch_bounds__(kBlock) apply_norm(View<T> x, const float* gamma, const float* beta, const float* mean,
                                                     const float* variance, Act act, View<T> residual, View<T> out) {
  const Column column = my_column();
  if (column.vector >= x.vectors) return;
  const Affine affine = load_affine(gamma, beta, mean, variance, column.vector);
  for (int64_t place = column.place; place < x.places; place += column.step) {
    Lanes value = normed(affine, load(x.at(place, column.vector)), act);
    if constexpr (with_residual) {
      const Lanes add = load(residual.at(place, column.vector));
      for (int i = 0; i < kLanes; ++i) value.v[i] += add.v[i];
    }
    clear_padding(value, column.vector, x.c);
    store(out.at(place, column.vector), value);
  }
}

void apply(const Context& context, const Tensor& x, const BatchNormArrays& bn, const float* mean, const float* variance,
           Activation kind, const Tensor* residual, const Tensor& out) {
  with_element(x.dtype, [&]<class T>() {
    const View<T> from = make_view<T>(x), to = make_view<T>(out);
    const Columns shape = columns_for(from.places, from.vectors, kApplySteps, kMostApplyBlocks);
    with_activation(kind, [&]<class Act>(Act act) {
      if (residual != nullptr) {
        DK_LAUNCH((apply_norm<T, Act, true>), shape.grid, shape.block, context.stream, from, bn.gamma, bn.beta, mean, variance,
                  act, make_view<T>(*residual), to);
      } else {
        DK_LAUNCH((apply_norm<T, Act, false>), shape.grid, shape.block, context.stream, from, bn.gamma, bn.beta, mean, variance,
                  act, View<T>{}, to);
      }
    });
  });
  DK_CUDA_LAUNCHED("batch norm");
}

// sum g and sum g z, with g = dout * act'(gamma z + beta), which takes the place of dout where it is kept.
template <class T, class Delta, class Act, bool keeps>
__global__ void __launch_bounds__(kBlock) norm_gradient_sums(Delta dout, View<T> x, BatchNormArrays bn, Act act, float* scratch) {
  __shared__ float shared[kBlock][kLanes];
  const Column column = my_column();
  Lanes sum_g = zeros(), sum_gz = zeros();
  if (column.vector < x.vectors) {
    const Lanes mean = load(bn.mean + column.vector * kLanes), variance = load(bn.variance + column.vector * kLanes);
    const Lanes gamma = load(bn.gamma + column.vector * kLanes), beta = load(bn.beta + column.vector * kLanes);
    Lanes inverse;
    for (int i = 0; i < kLanes; ++i) inverse.v[i] = inverse_deviation(variance.v[i]);
    for (int64_t place = column.place; place < x.places; place += column.step) {
      const Lanes value = load(x.at(place, column.vector));
      Lanes delta = delta_at(dout, place, column.vector);
#pragma unroll(Act::kUnroll)
      for (int i = 0; i < kLanes; ++i) {
        const float z = (value.v[i] - mean.v[i]) * inverse.v[i];
        const float g = delta.v[i] * act.slope(gamma.v[i] * z + beta.v[i]);
        sum_g.v[i] += g;
        sum_gz.v[i] += g * z;
        delta.v[i] = g;
      }
      if constexpr (keeps) {
        clear_padding(delta, column.vector, x.c);
        store(dout.at(place, column.vector), delta);
      }
    }
  }
  sum_g = sum_of_rows(sum_g, shared);
  sum_gz = sum_of_rows(sum_gz, shared);
  write_partials(scratch, sum_g, sum_gz, x.vectors, column.vector);
}

// Adds to dbeta and dgamma, and leaves both means in front of the partial sums' place: means[2][vectors * kLanes].
__global__ void finish_norm_gradient(const float* scratch, int slices, int channels, int c_count, double count,
                                     BatchNormArrays bn, float* means) {
  const int c = static_cast<int>(task_index());
  if (c >= channels) return;
  const double sum_g = sum_of_slices(scratch, 0, slices, channels, c), sum_gz = sum_of_slices(scratch, 1, slices, channels, c);
  means[c] = static_cast<float>(sum_g / count);
  means[channels + c] = static_cast<float>(sum_gz / count);
  if (c >= c_count) return;
  bn.dbeta[c] += static_cast<float>(sum_g);
  bn.dgamma[c] += static_cast<float>(sum_gz);
}

// Both sums as ConvPlan::backward_data_summed() leaves them.
__global__ void keep_norm_gradient(const float* scratch, int slices, int channels, int c_count, BatchNormArrays bn) {
  const int c = static_cast<int>(task_index());
  if (c >= c_count) return;
  bn.delta_sum[c] = static_cast<float>(sum_of_slices(scratch, 0, slices, channels, c));
  bn.delta_moment[c] = static_cast<float>(sum_of_slices(scratch, 1, slices, channels, c)) / inverse_deviation(bn.variance[c]);
}

__global__ void scale_and_clear(int channels, BatchNormArrays bn, float* scale) {
  const int c = static_cast<int>(task_index());
  if (c >= channels) return;
  scale[c] = bn.gamma[c] * inverse_deviation(bn.variance[c]);
  bn.delta_sum[c] = bn.delta_moment[c] = 0;
}

// finish_norm_gradient from those.
__global__ void finish_kept_gradient(int channels, int c_count, double count, BatchNormArrays bn, float* means) {
  const int c = static_cast<int>(task_index());
  if (c >= channels) return;
  const double sum_g = c < c_count ? static_cast<double>(bn.delta_sum[c]) : 0.0;
  const double sum_gz = c < c_count ? static_cast<double>(bn.delta_moment[c]) * inverse_deviation(bn.variance[c]) : 0.0;
  means[c] = static_cast<float>(sum_g / count);
  means[channels + c] = static_cast<float>(sum_gz / count);
  if (c >= c_count) return;
  bn.dbeta[c] = static_cast<float>(bn.dbeta[c] + sum_g);
  bn.dgamma[c] = static_cast<float>(bn.dgamma[c] + sum_gz);
}

// dx = gamma * inverse * (g - mean(g) - z mean(g z))
template <class T, class Delta, class Act>
__global__ void __launch_bounds__(kBlock)
    apply_norm_gradient(Delta dout, View<T> x, BatchNormArrays bn, Act act, const float* means, View<T> dx) {
  const Column column = my_column();
  if (column.vector >= x.vectors) return;
  const int at = column.vector * kLanes;
  const Lanes mean = load(bn.mean + at), variance = load(bn.variance + at), gamma = load(bn.gamma + at),
              beta = load(bn.beta + at);
  const Lanes mean_g = load(means + at), mean_gz = load(means + x.vectors * kLanes + at);
  Lanes inverse;
  for (int i = 0; i < kLanes; ++i) inverse.v[i] = inverse_deviation(variance.v[i]);
  for (int64_t place = column.place; place < x.places; place += column.step) {
    const Lanes value = load(x.at(place, column.vector)), delta = delta_at(dout, place, column.vector);
    Lanes result;
#pragma unroll(Act::kUnroll)
    for (int i = 0; i < kLanes; ++i) {
      const float z = (value.v[i] - mean.v[i]) * inverse.v[i];
      const float g = delta.v[i] * act.slope(gamma.v[i] * z + beta.v[i]);
      result.v[i] = gamma.v[i] * inverse.v[i] * (g - mean_g.v[i] - z * mean_gz.v[i]);
    }
    clear_padding(result, column.vector, x.c);
    store(dx.at(place, column.vector), result);
  }
}

template <class T, class Act, bool with_residual>
__global__ void __launch_bounds__(kBlock) apply_bias(View<T> x, const float* bias, Act act, View<T> residual, View<T> out) {
  const Column column = my_column();
  if (column.vector >= x.vectors) return;
  const Lanes shift = bias != nullptr ? load(bias + column.vector * kLanes) : zeros();
  for (int64_t place = column.place; place < x.places; place += column.step) {
    Lanes value = load(x.at(place, column.vector));
#pragma unroll(Act::kUnroll)
    for (int i = 0; i < kLanes; ++i) value.v[i] = act.value(value.v[i] + shift.v[i]);
    if constexpr (with_residual) {
      const Lanes add = load(residual.at(place, column.vector));
      for (int i = 0; i < kLanes; ++i) value.v[i] += add.v[i];
    }
    clear_padding(value, column.vector, x.c);
    store(out.at(place, column.vector), value);
  }
}

// dx = dout * act'(x + bias), and its sums where they are wanted.
template <class T, class Act>
__global__ void __launch_bounds__(kBlock)
    bias_gradient(View<T> dout, View<T> x, const float* bias, Act act, View<T> dx, float* scratch) {
  __shared__ float shared[kBlock][kLanes];
  const Column column = my_column();
  Lanes sum = zeros();
  if (column.vector < x.vectors) {
    const Lanes shift = bias != nullptr ? load(bias + column.vector * kLanes) : zeros();
    for (int64_t place = column.place; place < x.places; place += column.step) {
      const Lanes value = load(x.at(place, column.vector)), delta = load(dout.at(place, column.vector));
      Lanes result;
#pragma unroll(Act::kUnroll)
      for (int i = 0; i < kLanes; ++i) {
        result.v[i] = delta.v[i] * act.slope(value.v[i] + shift.v[i]);
        sum.v[i] += result.v[i];
      }
      clear_padding(result, column.vector, x.c);
      store(dx.at(place, column.vector), result);
    }
  }
  if (scratch == nullptr) return;
  sum = sum_of_rows(sum, shared);
  if (threadIdx.y == 0 && column.vector < x.vectors)
    store(partial(scratch, 0, blockIdx.y, gridDim.y, x.vectors, column.vector), sum);
}

__global__ void finish_bias_gradient(const float* scratch, int slices, int channels, int c_count, float* dbias) {
  const int c = static_cast<int>(task_index());
  if (c < c_count) dbias[c] += static_cast<float>(sum_of_slices(scratch, 0, slices, channels, c));
}

void take_statistics(const Context& context, const Tensor& x, const BatchNormArrays& bn) {
  with_element(x.dtype, [&]<class T>() {
    const View<T> view = make_view<T>(x);
    const Columns shape = columns_for(view.places, view.vectors, kSumSteps, most_partials(view.vectors));
    DK_LAUNCH_WITH_BARRIERS(moments<T>, shape.grid, shape.block, context.stream, view, nullptr, context.scratch);
    DK_CUDA_LAUNCHED("moments");
    DK_LAUNCH(finish_moments<T>, blocks_for(view.c), kBlock, context.stream, view, context.scratch,
              static_cast<int>(shape.grid.y), bn);
    DK_CUDA_LAUNCHED("finish_moments");
  });
}

// From the sums that the convolution has taken.
void finish_statistics(const Context& context, const Tensor& x, const BatchNormArrays& bn) {
  const double count = static_cast<double>(x.n) * x.h * x.w;
  DK_LAUNCH(finish_sums, blocks_for(x.c), kBlock, context.stream, x.c, count, bn);
  DK_CUDA_LAUNCHED("finish_sums");
}

}  // namespace

void batch_norm_train(const Context& context, const Tensor& x, const BatchNormArrays& bn, Activation act, const Tensor* residual,
                      const Tensor& out) {
  take_statistics(context, x, bn);
  apply(context, x, bn, bn.mean, bn.variance, act, residual, out);
}

void channel_sums(const Context& context, const Tensor& x, const float* shift, float* sum, float* squares) {
  with_element(x.dtype, [&]<class T>() {
    const View<T> view = make_view<T>(x);
    const Columns shape = columns_for(view.places, view.vectors, kSumSteps, most_partials(view.vectors));
    DK_LAUNCH_WITH_BARRIERS(moments<T>, shape.grid, shape.block, context.stream, view, shift, context.scratch);
    DK_CUDA_LAUNCHED("moments");
    DK_LAUNCH(add_slices, blocks_for(view.vectors * kLanes), kBlock, context.stream, context.scratch,
              static_cast<int>(shape.grid.y), view.vectors * kLanes, sum, squares);
    DK_CUDA_LAUNCHED("add_slices");
  });
}

void batch_norm_train_summed(const Context& context, const Tensor& x, const BatchNormArrays& bn, Activation act,
                             const Tensor* residual, const Tensor& out) {
  finish_statistics(context, x, bn);
  apply(context, x, bn, bn.mean, bn.variance, act, residual, out);
}

void batch_norm_train_tail(const Context& context, const Tensor& x, const BatchNormArrays& bn, Activation act,
                           const NormTail& tail, bool summed, const Tensor& out) {
  summed ? finish_statistics(context, x, bn) : take_statistics(context, x, bn);
  apply_with_tail(context, x, bn, act, tail, out);
}

void batch_norm_frozen(const Context& context, const Tensor& x, const BatchNormArrays& bn, Activation act, const Tensor* residual,
                       const Tensor& out) {
  apply(context, x, bn, bn.rolling_mean, bn.rolling_variance, act, residual, out);
}

namespace {

// Into scratch; returns how many slices there are.
template <class T, bool keeps, class Delta, class Act>
int launch_gradient_sums(const Context& context, const Delta& delta, const View<T>& raw, const BatchNormArrays& bn, Act act) {
  const Columns shape = columns_for(raw.places, raw.vectors, kSumSteps, most_partials(raw.vectors));
  DK_LAUNCH_WITH_BARRIERS((norm_gradient_sums<T, Delta, Act, keeps>), shape.grid, shape.block, context.stream, delta, raw, bn,
                          act, context.scratch);
  DK_CUDA_LAUNCHED("norm_gradient_sums");
  return static_cast<int>(shape.grid.y);
}

// dx from both means, which lie behind the partial sums.
template <class T, class Delta, class Act>
void launch_apply_gradient(const Context& context, const Delta& delta, const View<T>& raw, const BatchNormArrays& bn, Act act,
                           const View<T>& dx) {
  const Columns shape = columns_for(raw.places, raw.vectors, kApplySteps, kMostApplyBlocks);
  DK_LAUNCH((apply_norm_gradient<T, Delta, Act>), shape.grid, shape.block, context.stream, delta, raw, bn, act,
            context.scratch + kScratchFloats, dx);
  DK_CUDA_LAUNCHED("apply_norm_gradient");
}

// From the delta of batch norm's output, wherever that comes from.
template <class T, class Delta>
void gradient(const Context& context, const Delta& delta, const Tensor& x, const BatchNormArrays& bn, Activation kind,
              const Tensor& dx) {
  const View<T> raw = make_view<T>(x);
  const int channels = raw.vectors * kLanes;
  const auto with = [&]<class Act>(Act act) {
    const int slices = launch_gradient_sums<T, false>(context, delta, raw, bn, act);
    DK_LAUNCH(finish_norm_gradient, blocks_for(channels), kBlock, context.stream, context.scratch, slices, channels, raw.c,
              static_cast<double>(raw.places), bn, context.scratch + kScratchFloats);
    DK_CUDA_LAUNCHED("finish_norm_gradient");
    launch_apply_gradient<T>(context, delta, raw, bn, act, make_view<T>(dx));
  };
  if constexpr (std::is_same_v<Delta, View<T>>) {
    with_activation(kind, with);
  } else {
    with_common_activation(kind, with);  // others have no tail
  }
}

}  // namespace

void batch_norm_backward(const Context& context, const Tensor& dout, const Tensor& x, const BatchNormArrays& bn, Activation kind,
                         const Tensor& dx) {
  with_element(x.dtype, [&]<class T>() { gradient<T>(context, make_view<T>(dout), x, bn, kind, dx); });
}

void batch_norm_backward_tail(const Context& context, const Tensor& dout, const Tensor& x, const BatchNormArrays& bn,
                              Activation kind, const NormTail& tail, const Tensor& dx) {
  with_element(x.dtype, [&]<class T>() {
    with_tail_delta<T>(tail, dout, x, [&](const auto& delta) { gradient<T>(context, delta, x, bn, kind, dx); });
  });
}

void norm_gradient(const Context& context, const NormBackward& layer, const Tensor& delta) {
  with_element(delta.dtype, [&]<class T>() {
    const View<T> raw = make_view<T>(layer.x);
    const int channels = raw.vectors * kLanes;
    with_activation(layer.activation, [&]<class Act>(Act act) {
      const int slices = launch_gradient_sums<T, true>(context, make_view<T>(delta), raw, layer.bn, act);
      DK_LAUNCH(keep_norm_gradient, blocks_for(channels), kBlock, context.stream, context.scratch, slices, channels, raw.c,
                layer.bn);
      DK_CUDA_LAUNCHED("keep_norm_gradient");
    });
  });
}

const float* begin_norm_gradient(const Context& context, const NormBackward& layer) {
  float* scale = context.scratch + kScratchFloats;
  const int channels = round_up(layer.x.c, kLanes);
  DK_LAUNCH(scale_and_clear, blocks_for(channels), kBlock, context.stream, channels, layer.bn, scale);
  DK_CUDA_LAUNCHED("scale_and_clear");
  return scale;
}

void batch_norm_backward_summed(const Context& context, const Tensor& g, const Tensor& x, const BatchNormArrays& bn,
                                const Tensor& dx) {
  with_element(x.dtype, [&]<class T>() {
    const View<T> raw = make_view<T>(x);
    const int channels = raw.vectors * kLanes;
    DK_LAUNCH(finish_kept_gradient, blocks_for(channels), kBlock, context.stream, channels, raw.c,
              static_cast<double>(raw.places), bn, context.scratch + kScratchFloats);
    DK_CUDA_LAUNCHED("finish_kept_gradient");
    launch_apply_gradient<T>(context, make_view<T>(g), raw, bn, ActivationOf::Known<Activation::linear>{}, make_view<T>(dx));
  });
}

void bias_activation(const Context& context, const Tensor& x, const float* bias, Activation kind, const Tensor* residual,
                     const Tensor& out) {
  with_element(x.dtype, [&]<class T>() {
    const View<T> from = make_view<T>(x), to = make_view<T>(out);
    const Columns shape = columns_for(from.places, from.vectors, kApplySteps, kMostApplyBlocks);
    with_activation(kind, [&]<class Act>(Act act) {
      if (residual != nullptr) {
        DK_LAUNCH((apply_bias<T, Act, true>), shape.grid, shape.block, context.stream, from, bias, act, make_view<T>(*residual),
                  to);
      } else {
        DK_LAUNCH((apply_bias<T, Act, false>), shape.grid, shape.block, context.stream, from, bias, act, View<T>{}, to);
      }
    });
  });
  DK_CUDA_LAUNCHED("bias_activation");
}

void bias_activation_backward(const Context& context, const Tensor& dout, const Tensor& x, const float* bias, Activation kind,
                              float* dbias, const Tensor& dx) {
  with_element(x.dtype, [&]<class T>() {
    const View<T> delta = make_view<T>(dout), raw = make_view<T>(x), to = make_view<T>(dx);
    const Columns shape = dbias != nullptr ? columns_for(raw.places, raw.vectors, kSumSteps, most_partials(raw.vectors))
                                           : columns_for(raw.places, raw.vectors, kApplySteps, kMostApplyBlocks);
    with_activation(kind, [&]<class Act>(Act act) {
      DK_LAUNCH_WITH_BARRIERS((bias_gradient<T, Act>), shape.grid, shape.block, context.stream, delta, raw, bias, act, to,
                              dbias != nullptr ? context.scratch : nullptr);
    });
    DK_CUDA_LAUNCHED("bias_gradient");
    if (dbias == nullptr) return;
    DK_LAUNCH(finish_bias_gradient, blocks_for(raw.c), kBlock, context.stream, context.scratch, static_cast<int>(shape.grid.y),
              raw.vectors * kLanes, raw.c, dbias);
    DK_CUDA_LAUNCHED("finish_bias_gradient");
  });
}

}  // namespace dk::cuda
