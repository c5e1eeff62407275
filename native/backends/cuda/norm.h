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
// After ConvPlan::forward_summed() and backward_data_summed().
void batch_norm_train_summed(const Context& context, const Tensor& x, const BatchNormArrays& bn, Activation act,
                             const Tensor* residual, const Tensor& out);
void batch_norm_backward_summed(const Context& context, const Tensor& g, const Tensor& x, const BatchNormArrays& bn,
                                const Tensor& dx);
// What those leave, as passes of their own: sum of (x - shift) and of its square; g in delta's place, with its sums.
void channel_sums(const Context& context, const Tensor& x, const float* shift, float* sum, float* squares);
void norm_gradient(const Context& context, const NormBackward& layer, const Tensor& delta);
// For a kernel that does the latter on its way: clears the sums; returns gamma / deviation of each channel, in scratch memory.
const float* begin_norm_gradient(const Context& context, const NormBackward& layer);
// Batch norm and its tail: norm_tail.h.
void batch_norm_train_tail(const Context& context, const Tensor& x, const BatchNormArrays& bn, Activation act,
                           const NormTail& tail, bool summed, const Tensor& out);
void batch_norm_backward_tail(const Context& context, const Tensor& dout, const Tensor& x, const BatchNormArrays& bn,
                              Activation act, const NormTail& tail, const Tensor& dx);
void bias_activation(const Context& context, const Tensor& x, const float* bias, Activation act, const Tensor* residual,
                     const Tensor& out);
void bias_activation_backward(const Context& context, const Tensor& dout, const Tensor& x, const float* bias, Activation act,
                              float* dbias, const Tensor& dx);

}  // namespace dk::cuda
