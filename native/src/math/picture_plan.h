// What one training picture is made of, drawn and worked out before a pixel is touched: data/augment makes plans, and whoever has
// the sources at hand draws them: data/render on the host, a back end on its device. Plans name sources by their place among
// the picture's images and hold no pixels.
#pragma once

#include <cstdint>
#include <vector>

#include "math/augment_pixel.h"

namespace dk {

// Pixels [left, right) x [top, bottom).
struct PixelBox {
  int left = 0, top = 0, right = 0, bottom = 0;
};

// Convolves the rows, then the columns of a whole augmented picture, border mirrored (mirrored_index()).
struct BlurPlan {
  std::vector<float> weights;   // an odd number of them; empty = no blur
  std::vector<PixelBox> sharp;  // what stays as it was
};

// One patch; blur and noise are those of its source's whole augmented picture, of which the patch is a window.
struct PatchPlan {
  PixelPatch patch;
  BlurPlan blur;
  float noise = 0;          // standard deviation, 0..1
  uint32_t noise_slot = 0;  // which stream of normal4()
};

// In the order in which they are drawn. Together they cover the picture.
struct PicturePlan {
  std::vector<PatchPlan> patches;
  uint64_t seed = 0, iteration = 0;  // of the noise
};

}  // namespace dk
