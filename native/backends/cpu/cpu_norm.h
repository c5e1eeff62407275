// Batch normalisation and bias + activation of the CPU back end; the contracts are those of Backend.
#pragma once

#include "backend/backend.h"
#include "cpu/cpu_view.h"

namespace dk::cpu {

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

}  // namespace dk::cpu
