// Convolution of the reference back end: direct sums in double, no matrix library, weights stored OIHW.
#pragma once

#include <memory>

#include "backend/backend.h"

namespace dk::reference {

std::unique_ptr<ConvPlan> make_conv_plan(const ConvDesc& desc);

}  // namespace dk::reference
