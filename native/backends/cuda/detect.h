// Detection on the card: pictures into the network's input, candidates out of raw heads, suppression. Contract:
// backend/device_detection.h.
#pragma once

#include <memory>

#include "backend/backend.h"
#include "cuda/context.h"

namespace dk::cuda {

// Both outlive what is made. Memory comes from the back end.
std::unique_ptr<DeviceDetection> make_detection(Backend& backend, const Context& context, int batch, int slots, int classes);
int64_t detection_bytes(int batch, int slots, int classes);

}  // namespace dk::cuda
