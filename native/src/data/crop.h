// The random part of one source picture's augmentation (darknet.md 5.3, 5.5, 5.6) and what it does to the boxes (5.4, 1.4.2).
// Pixels are render.h. Lengths are in pixels of the whole picture, as decoded and upright.
#pragma once

#include <cstdint>
#include <vector>

#include "data/augment_options.h"
#include "data/labels.h"
#include "math/augment_pixel.h"

namespace dk {

// The rectangle that is cut out: (left, top) to (ow - right, oh - bottom). Negative = outside the picture.
struct Crop {
  int ow = 0, oh = 0;
  int left = 0, top = 0, right = 0, bottom = 0;
  bool flip = false;
  float hue = 0, saturation = 1, exposure = 1;  // turn (share of the circle) and factors
  int blur = 0;                                 // 0 none, 1 all but the boxes, else the (odd) size of the filter
  float noise = 0;                              // standard deviation, 0..1
  bool corner = false;                          // mosaic: the shown corner is used fully

  int width() const { return ow - left - right; }
  int height() const { return oh - top - bottom; }
};

// A stream of its own for each source of a slot, so that no draw depends on another source's.
inline constexpr uint32_t kSourcesPerSlot = 8;

// Draws everything for source `source` of a slot; a pure function of its arguments.
Crop draw_crop(const AugmentOptions& options, uint64_t seed, uint64_t iteration, uint32_t slot, uint32_t source, int ow, int oh);

// The maps of both axes for a picture stored at stored_w x stored_h (less than ow x oh where it was reduced).
AxisMap crop_map_x(const Crop& crop, int net_w, int stored_w);
AxisMap crop_map_y(const Crop& crop, int net_h, int stored_h);

// The boxes in the augmented picture: shuffled (seeded like draw_crop), at most max_boxes taken, moved, clipped, and those
// dropped that are left with less than a pixel of the network or were never right.
std::vector<LabelBox> crop_boxes(const AugmentOptions& options, const Crop& crop, const std::vector<LabelBox>& boxes,
                                 uint64_t seed, uint64_t iteration, uint32_t slot, uint32_t source);

}  // namespace dk
