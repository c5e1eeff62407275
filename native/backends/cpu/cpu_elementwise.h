// Moving, scaling, multiplying and dropping of tensors, and the update of parameters, in the CPU back end; the contracts are
// those of Backend.
#pragma once

#include "backend/backend.h"
#include "cpu/cpu_view.h"

namespace dk::cpu {

void import_planar(const Context& context, const float* host_nchw, const Tensor& dst);
void export_planar(const Context& context, const Tensor& src, float* host_nchw);
void fill(const Context& context, const Tensor& dst, float value);
void copy(const Context& context, const Tensor& src, const Tensor& dst, float scale, bool accumulate);
void copy_view(const Context& context, const View& src, const View& dst, float scale, bool accumulate);
void copy_channels(const Context& context, const Tensor& src, int src_first, const Tensor& dst, int dst_first, int count,
                   bool accumulate);
void multiply(const Context& context, const Tensor& a, const Tensor& b, const Tensor& dst, bool accumulate);
void multiply_reduce(const Context& context, const Tensor& a, const Tensor& b, const Tensor& dst, bool accumulate);

// What dropout draws from, beside the element.
struct DropoutKey {
  float probability;
  uint64_t seed, iteration;
  uint32_t stream;
};
void dropout(const Context& context, const Tensor& src, const DropoutKey& key, const Tensor& dst, bool accumulate);

bool update_array(const Context& context, const SgdArgs& array, float rate);
void average_towards(const Context& context, float* ema, const float* w, int64_t count, float share);
void add_floats(const Context& context, const float* src, float* dst,
                int64_t count);  // dst += src; count a multiple of the block
void zero_bytes(const Context& context, void* memory, int64_t bytes);

}  // namespace dk::cpu
