// Max pooling, global average pooling and upsampling on the card. Contracts: backend/backend.h.
#pragma once

#include "backend/backend.h"
#include "cuda/context.h"

namespace dk::cuda {

int64_t max_pool_index_bytes(const PoolDesc& desc, const Tensor& dst);
void max_pool(const Context& context, const PoolDesc& desc, const Tensor& src, const Tensor& dst, void* index);
void max_pool_backward(const Context& context, const PoolDesc& desc, const Tensor& ddst, const void* index, const Tensor& dsrc,
                       bool accumulate);
void global_average_pool(const Context& context, const Tensor& src, const Tensor& dst);
void global_average_pool_backward(const Context& context, const Tensor& ddst, const Tensor& dsrc, bool accumulate);
void upsample(const Context& context, const Tensor& src, int stride, float scale, const Tensor& dst);
void upsample_backward(const Context& context, const Tensor& ddst, int stride, float scale, const Tensor& dsrc, bool accumulate);

}  // namespace dk::cuda
