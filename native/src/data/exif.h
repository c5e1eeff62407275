// The one thing the engine wants from EXIF: how the camera was held.
#pragma once

#include <cstdint>
#include <span>

#include "data/image.h"

namespace dk {

// The orientation 1..8 out of a TIFF block (what follows "Exif\0\0" in a JPEG, the content of a PNG's eXIf chunk). 1 when there
// is none or the block is damaged.
int exif_orientation(std::span<const uint8_t> tiff);

// Turns the picture upright. Orientations 5..8 exchange width and height.
Image8 apply_orientation(Image8 image, int orientation);

}  // namespace dk
