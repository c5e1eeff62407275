// The graphs that convolutions ask of cuDNN: a convolution alone, or with what surrounds it in a network fused into its kernel.
#pragma once

#include <string>

#include "cuda/cudnn_graph.h"

namespace dk::cuda {

enum class ConvStep { forward, backward_data, backward_weights };

// What a graph computes, beside the description of its convolution.
struct ConvGraph {
  ConvStep step = ConvStep::forward;
  bool bias = false;                           // forward: y = act(sum + bias) [+ residual]
  Activation activation = Activation::linear;  // of forward; with `norm` the one that deltas go back through
  bool residual = false;
  bool sums = false;  // forward: and sum (y - shift), sum (y - shift)^2 of each channel
  bool adds = false;  // backward: the result is added to what `before` holds; of weights, in floats
  bool norm = false;  // data: on through activation and normalisation of the layer before, with its two sums
  // Forward: channels of the buffers that its tensors are views of; 0: they are whole.
  int src_buffer_c = 0, dst_buffer_c = 0, residual_buffer_c = 0;

  bool operator==(const ConvGraph&) const = default;
  // The same for equal graphs of equal convolutions only.
  std::string key(const ConvDesc& desc) const;
};

// Numbers of the tensors at execution. By step: x, w -> y; y, w -> x; x, y -> w.
enum ConvTensor : int64_t {
  kX = 1,
  kW,
  kY,
  kBias,
  kResidual,
  kShift,   // [c] what is taken off before values are added up: rolling mean, or mean
  kSum,     // [c] floats
  kMoment,  // [c] floats: of squares, or of deltas times (raw - mean)
  kBefore,  // as the result: what is added to
  kRaw,     // norm: the raw output of the layer before
  kScale,   // norm: [c] gamma / deviation
  kBeta,    // norm: [c]
  kInner,   // and on: what lives within a graph
};

// Channel counts are the padded ones.
CudnnGraph conv_graph(const ConvDesc& desc, const ConvGraph& what);

// Whether cuDNN has the activation as operations of a graph.
bool is_fusable(Activation activation);
bool is_fusable_backward(Activation activation);

}  // namespace dk::cuda
