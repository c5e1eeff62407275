// Queued work as a CUDA graph: captured from the stream, replayed with one call. Contract: Backend::record.
#pragma once

#include <functional>
#include <memory>

#include "backend/backend.h"
#include "cuda/context.h"

namespace dk::cuda {

std::unique_ptr<Recording> record(const Context& context, const std::function<void()>& work);

}  // namespace dk::cuda
