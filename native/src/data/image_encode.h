// Pictures into files: JPEG and PNG of an Image8 (RGB or grey), for predictions.jpg and test data.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/image.h"

namespace dk {

std::vector<uint8_t> encode_jpeg(const Image8& image, int quality = 90);
std::vector<uint8_t> encode_png(const Image8& image);

// The ending of `path` chooses: .png (any case) = PNG, else JPEG. Written under a temporary name and renamed; Error(disk).
void write_image_file(const Image8& image, const std::string& path, int jpeg_quality = 90);

}  // namespace dk
