// The passes of math/yolo_loss.h over channel-last floats. A block of threads reads an image's truths; then each slot of each
// cell learns that it is background; then a block an image makes positives: of the truths that meet on a slot, the thread of the
// first takes them all, in order, so that the result is that of going through them one by one. Sums go into one partial a block
// and are added up in a fixed order.
#include "cuda/yolo.h"

#include <algorithm>

#include "cuda/task.h"
#include "cuda/view.h"

namespace dk::cuda {
namespace {

constexpr int kTruthFloats = 5;
constexpr int kMostBlocks = 2048;  // of the kernels that go over all slots

// A usable truth and where it belongs in this head.
struct PlacedTruth {
  YoloTruth truth;
  int cell, best_anchor;
};

// One head over a mini-batch, as the kernels see it. Images lie one after the other, as far apart as out's and delta's buffers.
struct Job {
  YoloParams params;
  YoloView view;         // of the first image
  int64_t image_stride;  // elements
  int n;
  const float* records;  // the truth as it was uploaded
  YoloTruth* truths;     // n x max_boxes, usable ones of each image
  PlacedTruth* placed;   // the same ones
  int* counts;           // n
  YoloFigures* partials;

  __device__ __forceinline__ YoloView image(int b) const {
    YoloView v = view;
    v.out += b * image_stride;
    v.delta += b * image_stride;
    return v;
  }
  __device__ __forceinline__ int64_t slots_of_image() const { return static_cast<int64_t>(view.h) * view.w * params.mask_count; }
};

template <class T>
__global__ void __launch_bounds__(kBlock) activate_kernel(YoloParams params, View<T> raw, View<float> out, float* delta) {
  const int64_t task = task_index(), place = task / raw.vectors;
  const int vector = static_cast<int>(task % raw.vectors);
  if (place >= raw.places) return;
  Lanes value = load(raw.at(place, vector));
  const int entries = params.entries();
  int entry = vector * kLanes % entries;
  for (int i = 0; i < kLanes; ++i) {
    value.v[i] = yolo_activate(params, entry, value.v[i]);
    entry = entry + 1 == entries ? 0 : entry + 1;
  }
  put(out, place, vector, value, false);
  if (delta != nullptr) store(delta + place * out.stride + vector * kLanes, zeros());
}

// A block an image. The list ends at the first x == 0; what can train nothing is left out.
__global__ void __launch_bounds__(kBlock) read_truths_kernel(Job job) {
  __shared__ int place[kBlock];
  __shared__ int found, open;
  const int b = static_cast<int>(blockIdx.x), most = job.params.max_boxes;
  const float* records = job.records + static_cast<int64_t>(b) * most * kTruthFloats;
  const YoloView view = job.image(b);
  if (threadIdx.x == 0) found = 0, open = 1;
  __syncthreads();
  for (int first = 0; first < most && open != 0; first += kBlock) {
    const int t = first + static_cast<int>(threadIdx.x);
    const float* record = records + static_cast<int64_t>(t) * kTruthFloats;
    YoloTruth truth;
    const bool ends = t >= most || record[0] == 0;
    const bool usable = !ends && yolo_read_truth(record, job.params.classes, &truth);
    place[threadIdx.x] = ends ? -2 : usable ? 0 : -1;
    __syncthreads();
    if (threadIdx.x == 0) {
      for (int i = 0; i < kBlock && open != 0; ++i) {
        if (place[i] == -2) open = 0;
        if (place[i] == 0) place[i] = ++found;
      }
    }
    __syncthreads();
    // Behind the end the places are still 0.
    if (usable && place[threadIdx.x] > 0) {
      const int64_t at = static_cast<int64_t>(b) * most + place[threadIdx.x] - 1;
      job.truths[at] = truth;
      job.placed[at] = PlacedTruth{truth, yolo_truth_cell(view, truth), yolo_best_anchor(job.params, view, truth)};
    }
    __syncthreads();
  }
  if (threadIdx.x == 0) job.counts[b] = found;
}

// The sum over the block, in the order of a tree; thread 0 writes it. Every thread must call it.
__device__ __forceinline__ void put_partial(const YoloFigures& mine, YoloFigures* to) {
  __shared__ double memory[kBlock * sizeof(YoloFigures) / sizeof(double)];  // shared memory has no constructors
  YoloFigures* sums = reinterpret_cast<YoloFigures*>(memory);
  sums[threadIdx.x] = mine;
  __syncthreads();
  for (unsigned half = kBlock / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) sums[threadIdx.x].add(sums[threadIdx.x + half]);
    __syncthreads();
  }
  if (threadIdx.x == 0) *to = sums[0];
}

__global__ void __launch_bounds__(kBlock) background_kernel(Job job) {
  const int64_t each = job.slots_of_image(), all = each * job.n;
  YoloTally tally;
  for (int64_t task = task_index(); task < all; task += static_cast<int64_t>(gridDim.x) * kBlock) {
    const int b = static_cast<int>(task / each), slot = static_cast<int>(task % each % job.params.mask_count);
    const int cell = static_cast<int>(task % each / job.params.mask_count);
    yolo_pass_background(job.params, job.image(b), slot, cell, job.truths + static_cast<int64_t>(b) * job.params.max_boxes,
                         job.counts[b], &tally);
  }
  YoloFigures figures;
  figures.add(tally);
  put_partial(figures, job.partials + blockIdx.x);
}

// A block an image, a thread for each truth and slot.
__global__ void __launch_bounds__(kBlock) positives_kernel(Job job, YoloFigures* partials) {
  const int b = static_cast<int>(blockIdx.x), count = job.counts[b], masks = job.params.mask_count;
  const PlacedTruth* placed = job.placed + static_cast<int64_t>(b) * job.params.max_boxes;
  const YoloView view = job.image(b);
  YoloTally tally;
  for (int64_t task = threadIdx.x; task < static_cast<int64_t>(count) * masks; task += kBlock) {
    const int t = static_cast<int>(task / masks), slot = static_cast<int>(task % masks), cell = placed[t].cell;
    const auto takes = [&](int other) {
      return placed[other].cell == cell && yolo_fits(job.params, view, placed[other].truth, placed[other].best_anchor, slot);
    };
    bool first = takes(t);
    for (int earlier = 0; earlier < t && first; ++earlier) first = !takes(earlier);
    if (!first) continue;
    for (int other = t; other < count; ++other)
      if (takes(other)) yolo_positive(job.params, view, slot, cell, placed[other].truth, &tally);
  }
  YoloFigures figures;
  figures.add(tally);
  put_partial(figures, partials + b);
}

// Averages the box deltas where truths met, and squares what there is.
__global__ void __launch_bounds__(kBlock) squares_kernel(Job job, YoloFigures* partials) {
  const int64_t each = job.slots_of_image(), all = each * job.n;
  YoloFigures figures;
  for (int64_t task = task_index(); task < all; task += static_cast<int64_t>(gridDim.x) * kBlock) {
    const int b = static_cast<int>(task / each), slot = static_cast<int>(task % each % job.params.mask_count);
    const int cell = static_cast<int>(task % each / job.params.mask_count);
    const YoloView view = job.image(b);
    if (job.params.iou_thresh < 1) yolo_pass_average(job.params, view, slot, cell);
    double box = 0, rest = 0;
    for (int entry = 0; entry < job.params.entries(); ++entry) {
      const double d = view.delta[view.at(slot, entry, cell)];
      (entry < 4 ? box : rest) += d * d;
    }
    figures.total_sq += box + rest;
    figures.cls_sq += rest;
  }
  put_partial(figures, partials + blockIdx.x);
}

__global__ void __launch_bounds__(kBlock)
    figures_kernel(const YoloFigures* partials, int count, int n, const StepValues* step, YoloFigures* figures, int stride) {
  YoloFigures sum;
  for (int i = static_cast<int>(threadIdx.x); i < count; i += kBlock) sum.add(partials[i]);
  put_partial(sum, figures + static_cast<int64_t>(step->first_image / static_cast<unsigned>(n)) * stride);
}

void activate(const Context& context, const YoloParams& params, const Tensor& raw, const Tensor& out, float* delta) {
  DK_ASSERT(out.dtype == DType::f32 && out.c == out.buffer_c && raw.c == out.c && raw.n == out.n);
  with_element(raw.dtype, [&]<class T>() {
    const View<T> from = make_view<T>(raw);
    DK_LAUNCH(activate_kernel<T>, blocks_for_vectors(from), kBlock, context.stream, params, from, make_view<float>(out), delta);
  });
  DK_CUDA_LAUNCHED("yolo activate");
}

int64_t aligned(int64_t bytes) { return (bytes + 255) / 256 * 256; }

}  // namespace

// [placed truths][truths][counts]
int64_t yolo_scratch_bytes(const YoloParams& params, int n) {
  const int64_t truths = static_cast<int64_t>(n) * params.max_boxes;
  return aligned(truths * int64_t{sizeof(PlacedTruth)}) + aligned(truths * int64_t{sizeof(YoloTruth)}) +
         aligned(n * int64_t{sizeof(int)});
}

void yolo_activate(const Context& context, const YoloParams& params, const Tensor& raw, const Tensor& out) {
  activate(context, params, raw, out, nullptr);
}

void yolo_loss(const Context& context, const YoloHead& head, const StepValues* step, const Tensor& raw, const Tensor& out,
               const Tensor& delta, void* scratch) {
  const YoloParams& p = head.params;
  DK_ASSERT(delta.dtype == DType::f32 && delta.c == delta.buffer_c && delta.count() == out.count());
  activate(context, p, raw, out, static_cast<float*>(delta.data));
  const int stride = make_view<float>(out).stride;
  const int64_t truths = static_cast<int64_t>(raw.n) * p.max_boxes;
  char* memory = static_cast<char*>(scratch);
  Job job;
  job.params = p;
  job.view = YoloView{static_cast<float*>(out.data),
                      static_cast<float*>(delta.data),
                      raw.h,
                      raw.w,
                      head.net_w,
                      head.net_h,
                      p.entries(),
                      1,
                      stride};
  job.image_stride = static_cast<int64_t>(raw.h) * raw.w * stride;
  job.n = raw.n;
  job.records = head.truth;
  job.placed = reinterpret_cast<PlacedTruth*>(memory);
  job.truths = reinterpret_cast<YoloTruth*>(memory + aligned(truths * int64_t{sizeof(PlacedTruth)}));
  job.counts = reinterpret_cast<int*>(memory + yolo_scratch_bytes(p, raw.n) - aligned(raw.n * int64_t{sizeof(int)}));
  job.partials = reinterpret_cast<YoloFigures*>(context.scratch);
  const int64_t slots = static_cast<int64_t>(raw.n) * raw.h * raw.w * p.mask_count;
  const unsigned images = static_cast<unsigned>(raw.n);
  const unsigned blocks = static_cast<unsigned>(std::clamp<int64_t>(ceil_div(slots, kBlock), 1, kMostBlocks));
  const int partials = static_cast<int>(2 * blocks + images);
  DK_ASSERT(partials * int64_t{sizeof(YoloFigures)} <= kScratchFloats * int64_t{sizeof(float)});
  DK_LAUNCH_WITH_BARRIERS(read_truths_kernel, images, kBlock, context.stream, job);
  DK_LAUNCH_WITH_BARRIERS(background_kernel, blocks, kBlock, context.stream, job);
  DK_LAUNCH_WITH_BARRIERS(positives_kernel, images, kBlock, context.stream, job, job.partials + blocks);
  DK_LAUNCH_WITH_BARRIERS(squares_kernel, blocks, kBlock, context.stream, job, job.partials + blocks + images);
  DK_LAUNCH_WITH_BARRIERS(figures_kernel, 1, kBlock, context.stream, job.partials, partials, raw.n, step, head.figures,
                          head.figure_stride);
  DK_CUDA_LAUNCHED("yolo loss");
}

}  // namespace dk::cuda
