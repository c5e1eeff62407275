// The back end's convolutions: an engine (conv_engine.h) for packed tensors, and around it what the contract of backend.h adds.
#pragma once

#include <memory>
#include <span>

#include "backend/backend.h"
#include "cuda/context.h"
#include "cuda/conv_engine.h"

namespace dk::cuda {

std::unique_ptr<ConvPlan> make_conv_plan(const Context& context, const ConvDesc& desc, std::unique_ptr<ConvEngine> engine);
// All that compute in bf16 round their weights in one launch.
void weights_changed(const Context& context, std::span<const ChangedWeights> changed);

}  // namespace dk::cuda
