// The card's own stopwatch: events in the stream, whose distance the card measures to half a microsecond.
#pragma once

#include <memory>

#include "backend/backend.h"
#include "cuda/context.h"

namespace dk::cuda {

std::unique_ptr<Stopwatch> make_stopwatch(const Context& context);

}  // namespace dk::cuda
