// How the CPU back end sees a tensor: [n][blocks][h][w][block], a run of `plane` vectors for each image and block of channels.
// Also the parts of work that threads take: fixed by shapes alone, so that no result depends on the number of threads.
#pragma once

#include <omp.h>

#include <algorithm>
#include <cstdint>

#include "backend/backend.h"
#include "core/status.h"
#include "cpu/kernels/kernels.h"

namespace dk::cpu {

// What every operation needs to know.
struct Context {
  const KernelTable* kernels = nullptr;
  int threads = 1;

  int block() const { return kernels->block; }
};

inline int64_t round_up(int64_t value, int64_t unit) { return (value + unit - 1) / unit * unit; }

struct View {
  char* base = nullptr;  // of the first block of the first image
  int dtype = 0;         // index into the kernels' tables
  int n = 0, c = 0, blocks = 0, h = 0, w = 0;
  int64_t plane = 0;                         // vectors
  int64_t image_bytes = 0, block_bytes = 0;  // from image to image, from block to block
  int64_t vector_bytes = 0;

  void* at(int image, int block, int64_t place = 0) const {
    return base + image * image_bytes + block * block_bytes + place * vector_bytes;
  }
  int64_t bytes() const { return n * blocks * plane * vector_bytes; }
};

inline View make_view(const Context& context, const Tensor& t) {
  const int block = context.block();
  DK_ASSERT(t.data != nullptr && !t.planar);
  DK_ASSERT(t.c_offset >= 0 && t.c_offset % block == 0 && t.c_offset + t.c <= t.buffer_c);
  DK_ASSERT(t.c % block == 0 || t.c_offset + t.c == t.buffer_c);
  DK_ASSERT(context.kernels->statistics[static_cast<int>(t.dtype)] != nullptr);
  View v;
  v.dtype = static_cast<int>(t.dtype);
  v.n = t.n;
  v.c = t.c;
  v.blocks = static_cast<int>(round_up(t.c, block) / block);
  v.h = t.h;
  v.w = t.w;
  v.plane = static_cast<int64_t>(t.h) * t.w;
  v.vector_bytes = block * dtype_bytes(t.dtype);
  v.block_bytes = v.plane * v.vector_bytes;
  v.image_bytes = round_up(t.buffer_c, block) / block * v.block_bytes;
  v.base = static_cast<char*>(t.data) + t.c_offset / block * v.block_bytes;
  return v;
}

inline void check_same_shape(const View& a, const View& b) { DK_ASSERT(a.n == b.n && a.c == b.c && a.h == b.h && a.w == b.w); }
inline void check_same(const View& a, const View& b) {
  check_same_shape(a, b);
  DK_ASSERT(a.dtype == b.dtype);
}

// All ones for the lanes of block `index` that are channels of the view.
inline const uint32_t* lane_mask(const Context& context, const View& v, int index) {
  static constexpr uint32_t kWords[2 * kMaxBlock] = {~0u, ~0u, ~0u, ~0u, ~0u, ~0u, ~0u, ~0u,
                                                     ~0u, ~0u, ~0u, ~0u, ~0u, ~0u, ~0u, ~0u};
  return kWords + kMaxBlock - std::min(v.c - index * context.block(), context.block());
}

// body(thread, threads) on every thread; barriers are the body's own.
template <class Body>
void on_all_threads(const Context& context, Body body) {
  if (context.threads == 1) return body(0, 1);
#pragma omp parallel num_threads(context.threads)
  body(omp_get_thread_num(), omp_get_num_threads());
}

struct Span {
  int64_t first, end;
};

// The part of `items` that one of `threads` takes.
inline Span share(int64_t items, int thread, int threads) { return {items * thread / threads, items * (thread + 1) / threads}; }

// body(item) for all items.
template <class Body>
void for_each_item(const Context& context, int64_t items, Body body) {
  if (items <= 1 || context.threads == 1) {
    for (int64_t i = 0; i < items; ++i) body(i);
    return;
  }
  on_all_threads(context, [&](int thread, int threads) {
    const Span mine = share(items, thread, threads);
    for (int64_t i = mine.first; i < mine.end; ++i) body(i);
  });
}

// A plane cut into runs of at most kRunVectors; the unit of work and of partial sums.
constexpr int64_t kRunVectors = 4096;

struct Runs {
  int64_t plane = 0, per_plane = 0;

  explicit Runs(int64_t places) : plane(places), per_plane((places + kRunVectors - 1) / kRunVectors) {}
  int64_t first(int64_t run) const { return run * kRunVectors; }
  int64_t count(int64_t run) const { return std::min(kRunVectors, plane - first(run)); }
};

// body(image, block, first place, count) for all runs of a view.
template <class Body>
void for_each_run(const Context& context, const View& v, Body body) {
  const Runs runs(v.plane);
  for_each_item(context, v.n * v.blocks * runs.per_plane, [&](int64_t item) {
    const int64_t run = item % runs.per_plane, plane = item / runs.per_plane;
    body(static_cast<int>(plane / v.blocks), static_cast<int>(plane % v.blocks), runs.first(run), runs.count(run));
  });
}

// body(first, count) for parts of a flat array, each but the last a multiple of 16 long.
template <class Body>
void for_each_part(const Context& context, int64_t count, Body body) {
  constexpr int64_t kPart = 1 << 16;
  for_each_item(context, (count + kPart - 1) / kPart,
                [&](int64_t part) { body(part * kPart, std::min(kPart, count - part * kPart)); });
}

}  // namespace dk::cpu
