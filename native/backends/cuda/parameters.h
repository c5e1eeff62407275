// The update of parameters and their averages on the card, all arrays in one launch. Contract: backend/backend.h.
#pragma once

#include <span>

#include "backend/backend.h"
#include "cuda/context.h"

namespace dk::cuda {

// Sets *context.not_finite where a result is not finite.
void scale_floats(const Context& context, float* values, int64_t count, float factor);
void update(const Context& context, std::span<const SgdArgs> arrays, const StepValues* step, int32_t* not_finite);

}  // namespace dk::cuda
