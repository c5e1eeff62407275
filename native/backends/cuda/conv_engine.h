// A convolution of whole, packed tensors on the card: what conv.h builds a back end's convolutions from. cuDNN's (conv_cudnn.h)
// does the work; the plain one (conv_direct.cu) serves what cuDNN does not take, and machines without it.
#pragma once

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

// What follows the sums before they are rounded: y = act(sum + bias) [+ residual].
struct Epilogue {
  const float* bias = nullptr;
  Activation activation = Activation::linear;
  const Tensor* residual = nullptr;

  explicit operator bool() const { return bias != nullptr || activation != Activation::linear || residual != nullptr; }
};

// Tensors are whole buffers of desc.dtype (no views); weights and their deltas are of it too, stored as above.
class ConvEngine {
 public:
  virtual ~ConvEngine() = default;
  virtual int64_t workspace_bytes() const = 0;
  // Whether forward() takes this, or only the plain convolution.
  virtual bool fuses(const Epilogue& epilogue) const = 0;
  virtual void forward(const Tensor& x, const void* weights, const Epilogue& epilogue, const Tensor& y, void* workspace) = 0;
  virtual void backward_data(const Tensor& dy, const void* weights, const Tensor& dx, void* workspace) = 0;
  virtual void backward_weights(const Tensor& x, const Tensor& dy, void* dweights, void* workspace) = 0;
};

// What engines need of a back end's life: cuDNN's handle on the context's stream.
void open_engines(Context* context);
void close_engines(Context* context);

// The best there is for this convolution.
std::unique_ptr<ConvEngine> make_conv_engine(const Context& context, const ConvDesc& desc);
std::unique_ptr<ConvEngine> make_direct_engine(const Context& context, const ConvDesc& desc);

}  // namespace dk::cuda
