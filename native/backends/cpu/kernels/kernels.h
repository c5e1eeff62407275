// The table of vector kernels: what the operations of the CPU back end call for ranges of memory. One table per instruction
// set (kernels_avx2.cpp, kernels_avx512.cpp), made from the same templates (*.inl); threads and shapes are the callers' business.
//
// A "vector" is one place of a tensor: `block` neighbouring channels (16 with AVX-512, else 8). Kernels walk `count` vectors
// that lie one behind the other (a run of places of one image and one block of channels). Lanes beyond the tensor's channels
// are zero in and zero out. Entries for bf16 are null where the instruction set has none.
#pragma once

#include <cstdint>

#include "math/activation.h"

namespace dk::cpu {

constexpr int kActivations = static_cast<int>(Activation::hardtan) + 1;
constexpr int kDTypes = 2;  // indexed by DType
constexpr int kMaxBlock = 16;

// out = act((x - mean) * scale + shift) [+ residual]; mean, scale, shift: `block` floats each.
struct ApplyArgs {
  const void* x;
  const void* residual;  // or null
  void* out;
  int64_t count;
  const float* mean;
  const float* scale;
  const float* shift;
  const uint32_t* mask;  // `block` words, all ones for the lanes that exist
  bool stream;           // out is too large to be found in the cache again
};

// Gradient of the same: with g = dout * act'((x - mean) * scale + shift),
// reduce: sum_g = sum g, sum_gx = sum g * (x - mean);  apply: dx = gain * g - tilt * (x - mean) - offset.
struct SlopeArgs {
  const void* dout;
  const void* x;
  void* dx;
  int64_t count;
  const float* mean;
  const float* scale;
  const float* shift;
  const float* gain;
  const float* tilt;
  const float* offset;
  double* sum_g;
  double* sum_gx;
  bool stream;
};

// One image and one block of channels of a max pooling. Entries of index are ky * size + kx, all bits set where a window
// covers no input; 8 bits each, 16 if `wide`.
struct PoolArgs {
  void* input;   // forward: src; backward: dsrc
  void* output;  // forward: dst; backward: ddst
  void* index;   // or null (inference)
  void* scratch;
  const uint32_t* mask;
  int ih, iw, oh, ow, size, stride_y, stride_x, offset;
  bool wide;
  bool accumulate;  // backward: add to dsrc
};
constexpr int kNarrowPoolSize = 15, kWidePoolSize = 255;
constexpr int kDirectPoolSize = 3;  // larger windows go by rows, then by columns, through scratch
inline int64_t pool_scratch_bytes(int ih, int ow) { return static_cast<int64_t>(ih) * ow * kMaxBlock * 8; }

struct SgdRange {
  float* w;
  float* v;
  const float* g;
  int64_t count;
  float rate, momentum, decay, clip;  // clip: infinity for none
};

struct KernelTable {
  int block;
  const char* name;

  // Mean and sum of squared differences from it, of each lane; double[block] each.
  void (*statistics[kDTypes])(const void* x, int64_t count, double* mean, double* m2);
  void (*apply[kDTypes][kActivations])(const ApplyArgs&);
  void (*slope_reduce[kDTypes][kActivations])(const SlopeArgs&);
  void (*slope_apply[kDTypes][kActivations])(const SlopeArgs&);
  // dx = dout * act'(x + shift), sum_g = sum dx (unless null); the other arrays are not read.
  void (*bias_slope[kDTypes][kActivations])(const SlopeArgs&);

  // dst (+)= scale * src, by the types of src and dst.
  void (*copy[kDTypes][kDTypes])(const void* src, void* dst, int64_t count, float scale, bool accumulate);
  // dst (+)= a * b; step_b is 1, or 0 where b is one vector for the whole run.
  void (*multiply[kDTypes])(const void* a, const void* b, int step_b, void* dst, int64_t count, bool accumulate);
  // Sum over the run of a * b (b null: of a); double[block].
  void (*sum_products[kDTypes])(const void* a, const void* b, int64_t count, double* sum);
  // The vector of `block` floats, `count` times.
  void (*spread[kDTypes])(const float* value, void* dst, int64_t count, bool accumulate);

  void (*max_pool[kDTypes])(const PoolArgs&);
  void (*max_pool_backward[kDTypes])(const PoolArgs&);
  // One row of `width` vectors to (backward: from the sum of) `stride` rows of width * stride vectors.
  void (*upsample_row[kDTypes])(const void* src, int width, int stride, float scale, void* dst);
  void (*upsample_row_backward[kDTypes])(const void* ddst, int width, int stride, float scale, void* dsrc, bool accumulate);

  // `lanes` planes, plane_stride floats apart, to and from a run of vectors.
  void (*import_block[kDTypes])(const float* planar, int64_t plane_stride, int lanes, int64_t count, void* dst);
  void (*export_block[kDTypes])(const void* src, int64_t count, float* planar, int64_t plane_stride, int lanes);

  // Square blocks [i][o] of weights, one behind the other: to [o][i], to bf16 [i/2][o][2], to bf16 [o/2][i][2].
  void (*transpose_blocks)(const float* src, int64_t blocks, void* dst);
  void (*pair_blocks)(const float* src, int64_t blocks, void* dst);
  void (*transpose_pair_blocks)(const float* src, int64_t blocks, void* dst);

  bool (*sgd)(const SgdRange&);  // false: w is not finite somewhere
  void (*average)(float* ema, const float* w, int64_t count, float alpha);
};

const KernelTable& kernels_avx2();
const KernelTable& kernels_avx512();

}  // namespace dk::cpu
