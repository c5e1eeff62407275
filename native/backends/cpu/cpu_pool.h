// Pooling and upsampling of the CPU back end; the contracts are those of Backend.
#pragma once

#include "backend/backend.h"
#include "cpu/cpu_view.h"

namespace dk::cpu {

int64_t max_pool_index_bytes(const Context& context, const PoolDesc& desc, const Tensor& dst);
void max_pool(const Context& context, const PoolDesc& desc, const Tensor& src, const Tensor& dst, void* index);
void max_pool_backward(const Context& context, const PoolDesc& desc, const Tensor& ddst, const void* index, const Tensor& dsrc,
                       bool accumulate);
void global_average_pool(const Context& context, const Tensor& src, const Tensor& dst);
void global_average_pool_backward(const Context& context, const Tensor& ddst, const Tensor& dsrc, bool accumulate);
void upsample(const Context& context, const Tensor& src, int stride, float scale, const Tensor& dst);
void upsample_backward(const Context& context, const Tensor& ddst, int stride, float scale, const Tensor& dsrc, bool accumulate);

}  // namespace dk::cpu
