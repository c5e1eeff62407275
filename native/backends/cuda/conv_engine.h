// A convolution of whole, packed tensors on the card: what conv.h builds a back end's convolutions from. cuDNN's (conv_cudnn.cpp)
// does the work; the plain one (conv_direct.cu) serves what cuDNN does not take, and machines without it.
#pragma once

#include <functional>
#include <memory>

#include "backend/backend.h"
#include "cuda/context.h"

namespace dk::cuda {

// Weights on the card: [oc][size][size][ic / groups], both channel counts padded to vectors, zeros there.
struct StoredWeights {
  ConvWeightShape shape;
  int oc_padded = 0, ic_padded = 0;  // ic: of one group

  explicit StoredWeights(const ConvWeightShape& s);
  int64_t floats() const { return static_cast<int64_t>(oc_padded) * shape.size * shape.size * ic_padded; }
  void pack(const float* host_oihw, float* host_stored) const;
  void unpack(const float* host_stored, float* host_oihw) const;
};

// What follows the sums before they are rounded: y = act(sum + bias) [+ residual]; and what is taken of the results on the way.
struct Epilogue {
  const float* bias = nullptr;
  Activation activation = Activation::linear;
  const Tensor* residual = nullptr;
  const BatchNormArrays* sums = nullptr;  // ConvPlan::forward_summed()

  bool changes_values() const { return bias != nullptr || activation != Activation::linear || residual != nullptr; }
};

// Tensors are of desc.dtype, weights and their deltas too, stored as above. Bare convolutions take whole buffers; where a whole
// layer is asked for, tensors may be views, and forward's y is of desc.dst_dtype().
class ConvEngine {
 public:
  virtual ~ConvEngine() = default;
  virtual int64_t workspace_bytes() const = 0;
  virtual void forward(const Tensor& x, const void* weights, const Tensor& y, void* workspace) = 0;
  virtual void backward_data(const Tensor& dy, const void* weights, const Tensor& dx, void* workspace) = 0;
  virtual void backward_weights(const Tensor& x, const Tensor& dy, void* dweights, void* workspace) = 0;

  // A convolution with what surrounds it: by one kernel where there is one and it is faster, and then true; else by calling
  // `apart`, which does it in steps and may be called more than once, on other memory than asked for.
  virtual bool forward_fused(const Tensor&, const void* /*weights*/, const Epilogue&, const Tensor& /*y*/, void* /*workspace*/,
                             const std::function<void()>& apart) {
    apart();
    return false;
  }
  // dx (+)= W^T dy; with `layer` as ConvPlan::backward_data_summed(), which is not for `apart` to go through.
  virtual bool backward_data_fused(const Tensor& /*dy*/, const void* /*weights*/, const Tensor& dx, bool /*accumulate*/,
                                   const NormBackward* /*layer*/, void* /*workspace*/,
                                   const std::function<void(const Tensor& dx)>& apart) {
    apart(dx);
    return false;
  }
  // Deltas never rounded on their way into the float sums.
  virtual bool backward_weights_fused(const Tensor& /*x*/, const Tensor& /*dy*/, float* dweights, bool /*accumulate*/,
                                      void* /*workspace*/, const std::function<void(float* dweights)>& apart) {
    apart(dweights);
    return false;
  }
};

// What engines share for a back end's life: cuDNN on the context's stream, plans.
void open_engines(Context* context);
void close_engines(Context* context);
// Backend::plans_generation()
int64_t plans_generation(const Context& context);

// The best there is for this convolution.
std::unique_ptr<ConvEngine> make_conv_engine(const Context& context, const ConvDesc& desc);
std::unique_ptr<ConvEngine> make_direct_engine(const Context& context, const ConvDesc& desc);

}  // namespace dk::cuda
