// Batch normalisation and bias with activation of the reference back end (darknet.md 3.1.3, 3.1.4).
#pragma once

#include "backend/backend.h"

namespace dk::reference {

void batch_norm_train(const Tensor& x, const BatchNormArrays& bn, Activation act, const Tensor* residual, const Tensor& out);
void batch_norm_frozen(const Tensor& x, const BatchNormArrays& bn, Activation act, const Tensor* residual, const Tensor& out);
void batch_norm_backward(const Tensor& dout, const Tensor& x, const BatchNormArrays& bn, Activation act, const Tensor& dx);
void bias_activation(const Tensor& x, const float* bias, Activation act, const Tensor* residual, const Tensor& out);
void bias_activation_backward(const Tensor& dout, const Tensor& x, const float* bias, Activation act, float* dbias,
                              const Tensor& dx);

}  // namespace dk::reference
