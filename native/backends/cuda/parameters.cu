#include "cuda/parameters.h"

#include "cuda/task.h"

namespace dk::cuda {
namespace {

__global__ void __launch_bounds__(kBlock) sgd_kernel(SgdArgs args, int* not_finite) {
  const int64_t i = task_index();
  if (i >= args.count) return;
  const float w = args.w[i];
  const float v = args.v[i] + args.g[i] - args.decay * w;
  float updated = w + args.rate * v;
  if (args.clip > 0) updated = updated < -args.clip ? -args.clip : updated > args.clip ? args.clip : updated;
  args.w[i] = updated;
  args.v[i] = args.momentum * v;
  if (!(updated - updated == 0)) *not_finite = 1;  // all who write write the same
}

__global__ void __launch_bounds__(kBlock) scale_kernel(float* values, int64_t count, float factor, int* not_finite) {
  const int64_t i = task_index();
  if (i >= count) return;
  const float value = values[i] * factor;
  values[i] = value;
  if (!(value - value == 0)) *not_finite = 1;
}

__global__ void __launch_bounds__(kBlock) average_kernel(float* ema, const float* w, int64_t count, float alpha) {
  const int64_t i = task_index();
  if (i < count) ema[i] = alpha * ema[i] + (1.0f - alpha) * w[i];
}

}  // namespace

void sgd_update(const Context& context, const SgdArgs& args) {
  if (args.count == 0) return;
  DK_LAUNCH(sgd_kernel, blocks_for(args.count), kBlock, context.stream, args, context.not_finite);
  DK_CUDA_LAUNCHED("sgd_update");
}

void scale_floats(const Context& context, float* values, int64_t count, float factor) {
  if (count == 0) return;
  DK_LAUNCH(scale_kernel, blocks_for(count), kBlock, context.stream, values, count, factor, context.not_finite);
  DK_CUDA_LAUNCHED("scale_floats");
}

void average_towards(const Context& context, float* ema, const float* w, int64_t count, float alpha) {
  if (count == 0) return;
  DK_LAUNCH(average_kernel, blocks_for(count), kBlock, context.stream, ema, w, count, alpha);
  DK_CUDA_LAUNCHED("average_towards");
}

}  // namespace dk::cuda
