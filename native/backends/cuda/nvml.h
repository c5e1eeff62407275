// What NVIDIA's management library knows of a card without a context on it. It comes with the driver and is opened by name.
#pragma once

#include <cstdint>

namespace dk::cuda {

// Of the card's memory; -1 where it can't be told.
int64_t free_bytes(int device);

}  // namespace dk::cuda
