// What convolutions ask of cuDNN: graphs, and the rules for their plans. The engine over them: make_conv_engine (conv_engine.h).
#pragma once

#include "cuda/conv_engine.h"
#include "cuda/cudnn_graph.h"

namespace dk::cuda {

// The most scratch memory a plan may want.
constexpr int64_t kPlanWorkspace = int64_t{256} << 20;

// The graphs of one convolution, by what they compute.
enum class ConvStep { forward, backward_data, backward_weights };

// Channel counts are the padded ones. epilogue: of forward only.
CudnnGraph conv_graph(const ConvDesc& desc, ConvStep step, const Epilogue& epilogue);
PlanRules conv_rules(const ConvDesc& desc);

// Whether cuDNN can follow the convolution with this in the same kernel.
bool can_fuse(const ConvDesc& desc, const Epilogue& epilogue);

}  // namespace dk::cuda
