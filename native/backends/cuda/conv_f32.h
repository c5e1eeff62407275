// A convolution whose results stay floats, for tensors of 16 bits: by multiplications and sums in float, on any card.
#pragma once

#include "backend/backend.h"
#include "cuda/context.h"

namespace dk::cuda {

// y (n x oc x oh x ow, f32) = convolution of x (n x ic x ih x iw, of desc.dtype) with weights (StoredWeights, of desc.dtype)
// + bias (padded floats, or null). Both may be views; no groups.
void conv_to_f32(const Context& context, const ConvDesc& desc, const Tensor& x, const void* weights, const float* bias,
                 const Tensor& y);

}  // namespace dk::cuda
