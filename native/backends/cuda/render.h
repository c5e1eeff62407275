// Drawing planned pictures on the card: what a plan (math/picture_plan.h) is there, and the kernels that turn a list of such
// plans into the network's input. Pointers are addresses that the card can read; sources may lie in pinned host memory.
#pragma once

#include "cuda/context.h"
#include "cuda/element.h"
#include "math/picture_plan.h"

namespace dk::cuda {

// Room on the card for one picture's blur, each w x h x channels floats.
struct BlurRoom {
  float* drawn = nullptr;  // the augmented picture
  float* rows = nullptr;   // its rows convolved
};

struct DevicePatch {
  PixelPatch patch;
  const uint8_t* pixels = nullptr;  // h x w x channels
  int w = 0, h = 0;
  uint8_t mean[4] = {0, 0, 0, 0};
  float noise = 0;
  uint32_t noise_slot = 0;
  int taps = 0;  // of the blur, 0 = none
  int sharps = 0;
  const float* weights = nullptr;
  const PixelBox* sharp = nullptr;
  BlurRoom room;
};

struct DevicePicture {
  int first = 0, patches = 0;
  uint64_t seed = 0, iteration = 0;
};

// Of all pictures of a drawing.
struct DrawingShape {
  int w = 0, h = 0, channels = 3;
};

// Fills the rooms of these patches, all of which blur; `blurred` are their places in `patches`.
void draw_blurs(cudaStream_t stream, const DrawingShape& shape, const DevicePatch* patches, const int* blurred, int count);

// out: h x w x kLanes elements a picture, unused lanes zero.
void draw_pictures(cudaStream_t stream, const DrawingShape& shape, const DevicePicture* pictures, int count,
                   const DevicePatch* patches, float* out);
void draw_pictures(cudaStream_t stream, const DrawingShape& shape, const DevicePicture* pictures, int count,
                   const DevicePatch* patches, Bf16* out);
void draw_pictures(cudaStream_t stream, const DrawingShape& shape, const DevicePicture* pictures, int count,
                   const DevicePatch* patches, Half* out);

}  // namespace dk::cuda
