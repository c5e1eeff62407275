// Convolutions by cuDNN's plans.
#pragma once

#include <memory>
#include <string>
#include <vector>

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

std::unique_ptr<ConvEngine> make_cudnn_engine(const Context& context, const ConvDesc& desc);

}  // namespace dk::cuda
