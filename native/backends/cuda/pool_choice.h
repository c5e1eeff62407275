// What a max pooling remembers of each window: the position in it that won, row by row, for eight channels side by side.
#pragma once

#include <cstdint>

#include "cuda/view.h"

namespace dk::cuda {

constexpr int kNarrowWindow = 15;  // positions in windows up to this size fit a byte

template <class Index>
struct Choices {
  Index v[kLanes];
};

// No position: none of the window's places was inside.
template <class Index>
__device__ constexpr Index kNowhere = static_cast<Index>(~Index{0});

}  // namespace dk::cuda
