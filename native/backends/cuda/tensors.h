// Moving and combining tensors on the card: import and export, fill, copies, products, dropout. Contracts: backend/backend.h.
#pragma once

#include "backend/backend.h"
#include "cuda/context.h"

namespace dk::cuda {

// staged: dst.count() or src.count() floats on the card, NCHW.
void spread_planar(const Context& context, const float* staged, const Tensor& dst);
void gather_planar(const Context& context, const Tensor& src, float* staged);

void fill(const Context& context, const Tensor& dst, float value);
void copy(const Context& context, const Tensor& src, const Tensor& dst, float scale, bool accumulate);
void copy_channels(const Context& context, const Tensor& src, int src_first, const Tensor& dst, int dst_first, int count,
                   bool accumulate);
void multiply(const Context& context, const Tensor& a, const Tensor& b, const Tensor& dst, bool accumulate);
void multiply_reduce(const Context& context, const Tensor& a, const Tensor& b, const Tensor& dst, bool accumulate);

struct DropoutDraw {
  float probability;
  uint64_t seed;
  uint32_t layer;
  const StepValues* step;
};
void dropout(const Context& context, const Tensor& src, const DropoutDraw& draw, const Tensor& dst, bool accumulate);

}  // namespace dk::cuda
