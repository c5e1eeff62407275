// One block works on the candidates of an image, or of an image's class, so that order never depends on which thread comes first:
// places in lists are taken by counting over the block, ranks by a sorting network on a total order.
#include "cuda/detect_kernels.h"

#include "cuda/task.h"
#include "cuda/view.h"

namespace dk::cuda {
namespace {

// --- pictures ---

__device__ __forceinline__ float pixel(const PictureTask& t, int y, int x, int channel) {
  return t.unit[t.pixels[(static_cast<int64_t>(y) * t.picture_w + x) * t.channels + channel]];
}

__device__ __forceinline__ float sample(const PictureTask& t, int x, int y, int c) {
  if (x < 0 || y < 0 || x >= t.w || y >= t.h) return 0.5f;
  const CornerTap column = t.columns[x], row = t.rows[y];
  const int channel = t.channels == 1 ? 0 : c;
  const float upper = between(pixel(t, row.low, column.low, channel), pixel(t, row.low, column.high, channel), column.share);
  const float lower = between(pixel(t, row.high, column.low, channel), pixel(t, row.high, column.high, channel), column.share);
  return between(upper, lower, row.share);
}

template <class T>
__global__ void __launch_bounds__(kBlock) place_kernel(PictureTask task, View<T> dst) {
  const int64_t plane = static_cast<int64_t>(dst.h) * dst.w, i = task_index();
  if (i >= plane) return;
  const int x = static_cast<int>(i % dst.w) - task.x, y = static_cast<int>(i / dst.w) - task.y;
  Lanes value = zeros();
  for (int c = 0; c < 3; ++c) {
    if (c < dst.c) value.v[c] = task.ready != nullptr ? task.ready[c * plane + i] : sample(task, x, y, c);
  }
  store(dst.at(task.image * plane + i, 0), value);
}

// --- candidates ---

// How many of the block's threads up to this one have `mine`; `all` becomes how many have. Every thread must call it.
__device__ __forceinline__ int count_before(bool mine, int (&shared)[kBlock], int* all) {
  const unsigned me = threadIdx.x;
  shared[me] = mine ? 1 : 0;
  __syncthreads();
  for (unsigned step = 1; step < kBlock; step *= 2) {
    const int before = me >= step ? shared[me - step] : 0;
    __syncthreads();
    shared[me] += before;
    __syncthreads();
  }
  const int mine_and_before = shared[me];
  *all = shared[kBlock - 1];
  __syncthreads();
  return mine_and_before - (mine ? 1 : 0);
}

template <class T>
__device__ __forceinline__ float activated(const View<T>& raw, const HeadTask& head, int64_t place, int slot, int entry) {
  return yolo_activate(head.params, entry, to_float(raw.data[place * raw.stride + slot * head.params.entries() + entry]));
}

template <class T>
__global__ void __launch_bounds__(kBlock) list_kernel(View<T> raw, HeadTask head, int room, int* lists, int* counts) {
  __shared__ int shared[kBlock];
  const int image = static_cast<int>(blockIdx.x), slots = head.params.mask_count, cells = raw.h * raw.w;
  int* list = lists + static_cast<int64_t>(image) * room;
  int found = counts[image];
  for (int first = 0; first < cells * slots; first += kBlock) {
    const int i = first + static_cast<int>(threadIdx.x);
    const bool mine =
        i < cells * slots && activated(raw, head, static_cast<int64_t>(image) * cells + i / slots, i % slots, 4) > head.threshold;
    int all = 0;
    const int at = found + count_before(mine, shared, &all);
    if (mine) list[at] = head.base + i;
    found += all;
  }
  if (threadIdx.x == 0) counts[image] = found;
}

template <class T>
__device__ __forceinline__ Box decoded_box(const View<T>& raw, const HeadTask& head, int64_t place, int slot, int cell) {
  float entries[4];
  for (int e = 0; e < 4; ++e) entries[e] = activated(raw, head, place, slot, e);
  // The slot alone, as the head that yolo_box() reads.
  const int only = 0;
  YoloParams params = head.params;
  params.anchors = head.anchors + 2 * slot;
  params.mask = &only;
  const YoloView view{entries, nullptr, raw.h, raw.w, head.net_w, head.net_h, 0, 1, 0};
  return yolo_box(params, view, 0, cell);
}

// A thread for each class of each candidate; blockIdx.y is the chunk's image.
template <class T>
__global__ void __launch_bounds__(kBlock)
    decode_kernel(View<T> raw, HeadTask head, const int* lists, int room, const BoxFrame* frames, Chunk chunk) {
  const ChunkImage image = chunk.images[blockIdx.y];
  const int64_t task = task_index(), k = task / chunk.classes;
  const int c = static_cast<int>(task % chunk.classes), slots = head.params.mask_count, cells = raw.h * raw.w;
  if (k >= image.count) return;
  const int own = lists[static_cast<int64_t>(image.image) * room + k] - head.base;
  if (own < 0 || own >= cells * slots) return;  // of another head
  const int slot = own % slots, cell = own / slots;
  const int64_t place = static_cast<int64_t>(image.image) * cells + cell, at = image.start + k;
  const float objectness = activated(raw, head, place, slot, 4);
  const float prob = objectness * activated(raw, head, place, slot, 5 + c);
  chunk.probs[at * chunk.classes + c] = prob > head.threshold ? prob : 0.0f;
  if (c != 0) return;
  const Box box = decoded_box(raw, head, place, slot, cell);
  chunk.objectness[at] = objectness;
  chunk.boxes[at] = frames != nullptr ? in_frame(frames[image.image], box) : box;
}

// --- suppression ---

// What fills the list up to a power of two comes last.
__device__ __forceinline__ bool goes_before(const float* probs, int classes, int c, int a, int b) {
  if (a < 0 || b < 0) return b < 0 && a >= 0;
  return ranks_before(probs, classes, c, a, b);
}

// Sorts list[0..size), size a power of two, with all threads of the block.
__device__ __forceinline__ void sort_ranks(int* list, int size, const float* probs, int classes, int c) {
  for (int width = 2; width <= size; width *= 2) {
    for (int step = width / 2; step > 0; step /= 2) {
      for (int i = static_cast<int>(threadIdx.x); i < size; i += kBlock) {
        const int other = i ^ step;
        if (other < i) continue;
        const int a = list[i], b = list[other];
        if ((i & width) == 0 ? goes_before(probs, classes, c, b, a) : goes_before(probs, classes, c, a, b)) {
          list[i] = b;
          list[other] = a;
        }
      }
      __syncthreads();
    }
  }
}

// Block (class, image): ranks the class's candidates and suppresses. Class number `classes`: ranks all of them, for the output.
__global__ void __launch_bounds__(kBlock) suppress_kernel(SuppressionRule rule, Chunk chunk) {
  __shared__ int shared[kBlock];
  const ChunkImage image = chunk.images[blockIdx.y];
  const int c = static_cast<int>(blockIdx.x), classes = chunk.classes;
  const bool whole = c == classes;
  const float* probs = chunk.probs + static_cast<int64_t>(image.start) * classes;
  const Box* boxes = chunk.boxes + image.start;
  uint8_t* suppressed = chunk.suppressed + static_cast<int64_t>(image.start) * classes;
  int* list = chunk.ranked + static_cast<int64_t>(image.ranked) * (classes + 1) + static_cast<int64_t>(c) * image.padded;
  int live = 0;
  for (int first = 0; first < image.count; first += kBlock) {
    const int k = first + static_cast<int>(threadIdx.x);
    const bool mine = k < image.count && (whole || probs[static_cast<int64_t>(k) * classes + c] > 0);
    int all = 0;
    const int at = live + count_before(mine, shared, &all);
    if (mine) list[at] = k;
    live += all;
  }
  int size = 1;
  while (size < live) size *= 2;
  for (int i = live + static_cast<int>(threadIdx.x); i < size; i += kBlock) list[i] = -1;
  __syncthreads();
  sort_ranks(list, size, probs, classes, whole ? classes - 1 : c);
  if (whole) return;
  for (int i = 0; i < live; ++i) {
    const int kept = list[i];
    const bool gone = suppressed[static_cast<int64_t>(kept) * classes + c] != 0;
    if (!gone) {
      const Box box = boxes[kept];
      for (int k = i + 1 + static_cast<int>(threadIdx.x); k < live; k += kBlock) {
        const int other = list[k];
        uint8_t* flag = &suppressed[static_cast<int64_t>(other) * classes + c];
        if (*flag == 0 && too_alike(rule.kind, rule.beta, rule.threshold, box, boxes[other])) *flag = 1;
      }
    }
    __syncthreads();
  }
}

__global__ void __launch_bounds__(kBlock) order_kernel(Chunk chunk, Box* boxes, float* objectness, float* probs) {
  const ChunkImage image = chunk.images[blockIdx.y];
  const int classes = chunk.classes;
  const int64_t task = task_index(), rank = task / classes;
  const int c = static_cast<int>(task % classes);
  if (rank >= image.count) return;
  const int* order =
      chunk.ranked + static_cast<int64_t>(image.ranked) * (classes + 1) + static_cast<int64_t>(classes) * image.padded;
  const int64_t from = image.start + order[rank], to = image.start + rank;
  probs[to * classes + c] = chunk.suppressed[from * classes + c] != 0 ? 0.0f : chunk.probs[from * classes + c];
  if (c != 0) return;
  boxes[to] = chunk.boxes[from];
  objectness[to] = chunk.objectness[from];
}

dim3 candidate_blocks(const Chunk& chunk) {
  dim3 grid = blocks_for(static_cast<int64_t>(chunk.most) * chunk.classes);
  grid.y = static_cast<unsigned>(chunk.image_count);
  return grid;
}

}  // namespace

void place_picture(const Context& context, const PictureTask& task, const Tensor& dst) {
  DK_ASSERT(dst.c == 1 || dst.c == 3);
  with_element(dst.dtype, [&]<class T>() {
    const View<T> to = make_view<T>(dst);
    DK_LAUNCH(place_kernel<T>, blocks_for(static_cast<int64_t>(dst.h) * dst.w), kBlock, context.stream, task, to);
  });
  DK_CUDA_LAUNCHED("place_picture");
}

void list_candidates(const Context& context, const Tensor& raw, const HeadTask& head, int images, int room, int* lists,
                     int* counts) {
  with_element(raw.dtype, [&]<class T>() {
    const View<T> from = make_view<T>(raw);
    DK_LAUNCH_WITH_BARRIERS(list_kernel<T>, dim3(static_cast<unsigned>(images)), kBlock, context.stream, from, head, room, lists,
                            counts);
  });
  DK_CUDA_LAUNCHED("list_candidates");
}

void decode_candidates(const Context& context, const Tensor& raw, const HeadTask& head, const int* lists, int room,
                       const BoxFrame* frames, const Chunk& chunk) {
  with_element(raw.dtype, [&]<class T>() {
    const View<T> from = make_view<T>(raw);
    DK_LAUNCH(decode_kernel<T>, candidate_blocks(chunk), kBlock, context.stream, from, head, lists, room, frames, chunk);
  });
  DK_CUDA_LAUNCHED("decode_candidates");
}

void suppress(const Context& context, const SuppressionRule& rule, const Chunk& chunk, Box* boxes, float* objectness,
              float* probs) {
  const dim3 grid(static_cast<unsigned>(chunk.classes + 1), static_cast<unsigned>(chunk.image_count));
  DK_LAUNCH_WITH_BARRIERS(suppress_kernel, grid, kBlock, context.stream, rule, chunk);
  DK_CUDA_LAUNCHED("suppress");
  DK_LAUNCH(order_kernel, candidate_blocks(chunk), kBlock, context.stream, chunk, boxes, objectness, probs);
  DK_CUDA_LAUNCHED("order");
}

}  // namespace dk::cuda
