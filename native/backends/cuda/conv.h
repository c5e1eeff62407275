// The back end's convolutions: an engine (conv_engine.h) for packed tensors, and around it what the contract of backend.h adds.
#pragma once

#include <memory>

#include "backend/backend.h"
#include "cuda/context.h"
#include "cuda/conv_engine.h"

namespace dk::cuda {

std::unique_ptr<ConvPlan> make_conv_plan(const Context& context, const ConvDesc& desc, std::unique_ptr<ConvEngine> engine);

}  // namespace dk::cuda
