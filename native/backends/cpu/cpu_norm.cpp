// Batch normalisation and bias + activation. These passes are limited by memory, so a tensor is worked on in groups of
// channel blocks small enough that the second pass (apply) finds in the cache what the first (sums) has read. Sums are kept
// per run of places and combined in double in a fixed order: neither threads nor groups change a result.
#include "cpu/cpu_norm.h"

#include <cmath>
#include <vector>

namespace dk::cpu {
namespace {

constexpr int64_t kGroupBytes = 6 << 20;    // of all tensors a group reads
constexpr int64_t kStreamBytes = 24 << 20;  // larger outputs bypass the cache

// Channel blocks in groups; the runs of a group are numbered block by block, image by image.
struct Groups {
  Runs runs;
  int n, blocks, per_group;
  int64_t runs_per_block;

  Groups(const View& v, int tensors_read) : runs(v.plane), n(v.n), blocks(v.blocks) {
    const int64_t block_bytes = std::max<int64_t>(1, v.n * v.block_bytes * tensors_read);
    per_group = static_cast<int>(std::clamp<int64_t>(kGroupBytes / block_bytes, 1, std::max(blocks, 1)));
    runs_per_block = n * runs.per_plane;
  }

  int count() const { return (blocks + per_group - 1) / per_group; }
  int first_block(int group) const { return group * per_group; }
  int end_block(int group) const { return std::min(blocks, (group + 1) * per_group); }

  struct Place {
    int image, block;
    int64_t first, count;
  };
  Place place(int group, int64_t item) const {
    const int64_t run = item % runs.per_plane, plane = item / runs.per_plane;
    return {static_cast<int>(plane % n), first_block(group) + static_cast<int>(plane / n), runs.first(run), runs.count(run)};
  }
};

// For each group: reduce(place, item) over its runs, combine(block, first item) over its blocks, apply(place) over its runs in
// the opposite order, so that the newest in the cache comes first.
template <class Reduce, class Combine, class Apply>
void reduce_then_apply(const Context& context, const Groups& groups, Reduce reduce, Combine combine, Apply apply) {
  on_all_threads(context, [&](int thread, int threads) {
    for (int group = 0; group < groups.count(); ++group) {
      const int first_block = groups.first_block(group), blocks = groups.end_block(group) - first_block;
      const Span mine = share(blocks * groups.runs_per_block, thread, threads);
      for (int64_t item = mine.first; item < mine.end; ++item) reduce(groups.place(group, item), item);
#pragma omp barrier
      const Span my_blocks = share(blocks, thread, threads);
      for (int64_t b = my_blocks.first; b < my_blocks.end; ++b)
        combine(first_block + static_cast<int>(b), b * groups.runs_per_block);
#pragma omp barrier
      for (int64_t item = mine.end; item-- > mine.first;) apply(groups.place(group, item));
    }
  });
}

// Per-channel numbers of one pass, padded to whole blocks with zeros.
struct ChannelArrays {
  std::vector<float> scale, gain, tilt, offset;
  explicit ChannelArrays(int64_t channels) : scale(channels), gain(channels), tilt(channels), offset(channels) {}
};

int64_t padded(const Context& context, const View& v) { return static_cast<int64_t>(v.blocks) * context.block(); }

float inverse_deviation(float variance) {
  return static_cast<float>(1.0 / std::sqrt(static_cast<double>(variance) + kBatchNormEpsilon));
}

struct Forward {
  View x, residual, out;
  bool has_residual;

  Forward(const Context& context, const Tensor& x_, const Tensor* residual_, const Tensor& out_)
      : x(make_view(context, x_)), out(make_view(context, out_)), has_residual(residual_ != nullptr) {
    check_same(x, out);
    if (has_residual) {
      residual = make_view(context, *residual_);
      check_same(residual, out);
    }
  }

  bool stream() const { return out.bytes() > kStreamBytes && out.base != x.base; }

  void apply(const Context& context, Activation act, int image, int block, int64_t first, int64_t count, const float* mean,
             const float* scale, const float* shift) const {
    const int64_t lane = static_cast<int64_t>(block) * context.block();
    context.kernels->apply[x.dtype][static_cast<int>(act)](
        {x.at(image, block, first), has_residual ? residual.at(image, block, first) : nullptr, out.at(image, block, first), count,
         mean + lane, scale + lane, shift + lane, lane_mask(context, x, block), stream()});
  }
};

// Mean and biased variance of one block of channels from the partial ones of its runs (Chan, Golub and LeVeque's update).
void combine_statistics(const Context& context, const Groups& groups, const double* means, const double* m2s, int block,
                        const BatchNormArrays& bn, float* scale) {
  const int lanes = context.block();
  const double total = static_cast<double>(groups.n) * static_cast<double>(groups.runs.plane);
  for (int l = 0; l < lanes; ++l) {
    double count = 0, mean = 0, m2 = 0;
    for (int64_t r = 0; r < groups.runs_per_block; ++r) {
      const double added = static_cast<double>(groups.runs.count(r % groups.runs.per_plane));
      const double difference = means[r * lanes + l] - mean, sum = count + added;
      mean += difference * (added / sum);
      m2 += m2s[r * lanes + l] + difference * difference * (count * added / sum);
      count = sum;
    }
    const int64_t c = static_cast<int64_t>(block) * lanes + l;
    bn.mean[c] = static_cast<float>(mean);
    bn.variance[c] = static_cast<float>(m2 / total);
    bn.rolling_mean[c] = roll(bn.rolling_mean[c], bn.mean[c]);
    bn.rolling_variance[c] = roll(bn.rolling_variance[c], unbiased(bn.variance[c], total));
    scale[c] = bn.gamma[c] * inverse_deviation(bn.variance[c]);
  }
}

}  // namespace

void batch_norm_train(const Context& context, const Tensor& x, const BatchNormArrays& bn, Activation act, const Tensor* residual,
                      const Tensor& out) {
  const Forward f(context, x, residual, out);
  const Groups groups(f.x, 1);
  const int lanes = context.block();
  std::vector<double> means(groups.per_group * groups.runs_per_block * lanes), m2s(means.size());
  ChannelArrays arrays(padded(context, f.x));
  reduce_then_apply(
      context, groups,
      [&](const Groups::Place& p, int64_t item) {
        context.kernels->statistics[f.x.dtype](f.x.at(p.image, p.block, p.first), p.count, &means[item * lanes],
                                               &m2s[item * lanes]);
      },
      [&](int block, int64_t item) {
        combine_statistics(context, groups, &means[item * lanes], &m2s[item * lanes], block, bn, arrays.scale.data());
      },
      [&](const Groups::Place& p) {
        f.apply(context, act, p.image, p.block, p.first, p.count, bn.mean, arrays.scale.data(), bn.beta);
      });
}

void batch_norm_frozen(const Context& context, const Tensor& x, const BatchNormArrays& bn, Activation act, const Tensor* residual,
                       const Tensor& out) {
  const Forward f(context, x, residual, out);
  std::vector<float> scale(padded(context, f.x));
  for (int c = 0; c < f.x.c; ++c) scale[c] = bn.gamma[c] * inverse_deviation(bn.rolling_variance[c]);
  for_each_run(context, f.x, [&](int image, int block, int64_t first, int64_t count) {
    f.apply(context, act, image, block, first, count, bn.rolling_mean, scale.data(), bn.beta);
  });
}

// With d = x - mean, s = 1/sqrt(variance + eps), g = dout * act'(gamma s d + beta) and m values a channel:
// dbeta = sum g, dgamma = s sum g d, dx = gamma s (g - sum g / m - d s^2 sum(g d) / m).
void batch_norm_backward(const Context& context, const Tensor& dout, const Tensor& x, const BatchNormArrays& bn, Activation act,
                         const Tensor& dx) {
  const View from = make_view(context, dout), in = make_view(context, x), to = make_view(context, dx);
  check_same(from, in);
  check_same(in, to);
  const Groups groups(in, 2);
  const int lanes = context.block(), a = static_cast<int>(act);
  std::vector<double> sums_g(groups.per_group * groups.runs_per_block * lanes), sums_gx(sums_g.size());
  ChannelArrays arrays(padded(context, in));
  for (int c = 0; c < in.c; ++c) arrays.scale[c] = bn.gamma[c] * inverse_deviation(bn.variance[c]);
  const bool stream = to.bytes() > kStreamBytes && to.base != in.base && to.base != from.base;
  const auto slope_args = [&](const Groups::Place& p, int64_t item) {
    const int64_t lane = static_cast<int64_t>(p.block) * lanes;
    return SlopeArgs{from.at(p.image, p.block, p.first),
                     in.at(p.image, p.block, p.first),
                     to.at(p.image, p.block, p.first),
                     p.count,
                     bn.mean + lane,
                     &arrays.scale[lane],
                     bn.beta + lane,
                     &arrays.scale[lane],
                     &arrays.tilt[lane],
                     &arrays.offset[lane],
                     &sums_g[item * lanes],
                     &sums_gx[item * lanes],
                     stream};
  };
  const double total = static_cast<double>(in.n) * static_cast<double>(in.plane);
  reduce_then_apply(
      context, groups,
      [&](const Groups::Place& p, int64_t item) { context.kernels->slope_reduce[in.dtype][a](slope_args(p, item)); },
      [&](int block, int64_t item) {
        for (int l = 0; l < lanes; ++l) {
          double sum_g = 0, sum_gx = 0;
          for (int64_t r = item; r < item + groups.runs_per_block; ++r) {
            sum_g += sums_g[r * lanes + l];
            sum_gx += sums_gx[r * lanes + l];
          }
          const int64_t c = static_cast<int64_t>(block) * lanes + l;
          const double s = inverse_deviation(bn.variance[c]);
          bn.dbeta[c] += static_cast<float>(sum_g);
          bn.dgamma[c] += static_cast<float>(sum_gx * s);
          arrays.tilt[c] = static_cast<float>(arrays.scale[c] * s * s * sum_gx / total);
          arrays.offset[c] = static_cast<float>(arrays.scale[c] * sum_g / total);
        }
      },
      [&](const Groups::Place& p) { context.kernels->slope_apply[in.dtype][a](slope_args(p, 0)); });
}

void bias_activation(const Context& context, const Tensor& x, const float* bias, Activation act, const Tensor* residual,
                     const Tensor& out) {
  const Forward f(context, x, residual, out);
  const std::vector<float> zeros(padded(context, f.x)), ones(zeros.size(), 1.0f);
  for_each_run(context, f.x, [&](int image, int block, int64_t first, int64_t count) {
    f.apply(context, act, image, block, first, count, zeros.data(), ones.data(), bias ? bias : zeros.data());
  });
}

void bias_activation_backward(const Context& context, const Tensor& dout, const Tensor& x, const float* bias, Activation act,
                              float* dbias, const Tensor& dx) {
  const View from = make_view(context, dout), in = make_view(context, x), to = make_view(context, dx);
  check_same(from, in);
  check_same(in, to);
  const Runs runs(in.plane);
  const int lanes = context.block();
  const std::vector<float> zeros(padded(context, in));
  std::vector<double> sums(dbias ? in.n * in.blocks * runs.per_plane * lanes : 0);
  const bool sum_only = act == Activation::linear && to.base == from.base;  // dx is dout already
  if (sum_only && !dbias) return;
  for_each_run(context, in, [&](int image, int block, int64_t first, int64_t count) {
    const int64_t run = (static_cast<int64_t>(image) * in.blocks + block) * runs.per_plane + first / kRunVectors;
    if (sum_only)
      return context.kernels->sum_products[in.dtype](from.at(image, block, first), nullptr, count, &sums[run * lanes]);
    SlopeArgs args{};
    args.dout = from.at(image, block, first);
    args.x = in.at(image, block, first);
    args.dx = to.at(image, block, first);
    args.count = count;
    args.shift = (bias ? bias : zeros.data()) + static_cast<int64_t>(block) * lanes;
    args.sum_g = dbias ? &sums[run * lanes] : nullptr;
    context.kernels->bias_slope[in.dtype][static_cast<int>(act)](args);
  });
  if (!dbias) return;
  for (int c = 0; c < in.c; ++c) {
    double sum = 0;
    for (int image = 0; image < in.n; ++image)
      for (int64_t r = 0; r < runs.per_plane; ++r)
        sum += sums[((static_cast<int64_t>(image) * in.blocks + c / lanes) * runs.per_plane + r) * lanes + c % lanes];
    dbias[c] += static_cast<float>(sum);
  }
}

}  // namespace dk::cpu
