// Pooling and upsampling of the reference back end (darknet.md 3.2, 3.3, 3.6).
#pragma once

#include <cstdint>

#include "backend/backend.h"

namespace dk::reference {

// index: for every output the place of its maximum in the input plane, -1 where the window held no value.
void max_pool(const PoolDesc& desc, const Tensor& src, const Tensor& dst, int32_t* index);
void max_pool_backward(const Tensor& ddst, const int32_t* index, const Tensor& dsrc, bool accumulate);
void global_average_pool(const Tensor& src, const Tensor& dst);
void global_average_pool_backward(const Tensor& ddst, const Tensor& dsrc, bool accumulate);
void upsample(const Tensor& src, int stride, float scale, const Tensor& dst);
void upsample_backward(const Tensor& ddst, int stride, float scale, const Tensor& dsrc, bool accumulate);

}  // namespace dk::reference
