// Batch normalisation and bias + activation on the card. Contracts: backend/backend.h.
#pragma once

#include "backend/backend.h"
#include "cuda/context.h"

namespace dk::cuda {

void batch_norm_train(const Context& context, const Tensor& x, const BatchNormArrays& bn, Activation act, const Tensor* residual,
                      const Tensor& out);
void batch_norm_frozen(const Context& context, const Tensor& x, const BatchNormArrays& bn, Activation act, const Tensor* residual,
                       const Tensor& out);
void batch_norm_backward(const Context& context, const Tensor& dout, const Tensor& x, const BatchNormArrays& bn, Activation act,
                         const Tensor& dx);
void bias_activation(const Context& context, const Tensor& x, const float* bias, Activation act, const Tensor* residual,
                     const Tensor& out);
void bias_activation_backward(const Context& context, const Tensor& dout, const Tensor& x, const float* bias, Activation act,
                              float* dbias, const Tensor& dx);

}  // namespace dk::cuda
