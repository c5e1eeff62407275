// The update of parameters and their average on the card. Contracts: backend/backend.h.
#pragma once

#include "backend/backend.h"
#include "cuda/context.h"

namespace dk::cuda {

// These two set *context.not_finite where a result is not finite.
void scale_floats(const Context& context, float* values, int64_t count, float factor);
void sgd_update(const Context& context, const SgdArgs& args);
void average_towards(const Context& context, float* ema, const float* w, int64_t count, float alpha);

}  // namespace dk::cuda
