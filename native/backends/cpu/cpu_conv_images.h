// Convolutions whose tensors are slices of wider buffers (members of a concatenation). oneDNN has no fast code for images that
// do not lie one right behind the other, but within one image a slice of whole blocks is contiguous: such convolutions run
// image by image.
#pragma once

#include <memory>

#include "backend/backend.h"
#include "cpu/cpu_view.h"

namespace dk::cpu {

struct OneDnn;

bool reads_or_writes_slices(const Context& context, const ConvDesc& desc);
std::unique_ptr<ConvPlan> make_image_by_image(const Context& context, OneDnn& dnn, const ConvDesc& desc);

// The plan that does the work: of a single image for such a plan, else the plan itself.
const ConvPlan& plan_of_one_image(const ConvPlan& plan);

}  // namespace dk::cpu
