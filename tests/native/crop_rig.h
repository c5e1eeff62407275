// What golden/augment is compared with: a crop given by numbers, rendered from the picture the figures were made of.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "data/crop.h"
#include "data/image_decode.h"
#include "data/render.h"
#include "doctest/doctest.h"

namespace dk_test {

inline dk::SourceImage golden_picture() {
  dk::Image8 image = dk::decode_image_file(std::string(DK_GOLDEN_DIR) + "/decode/rgb.png");
  const int w = image.w, h = image.h;
  return dk::make_source(std::move(image), w, h);
}

struct FixedCrop {
  dk::Crop crop;
  int net_w, net_h;
};

inline FixedCrop fixed_crop(const std::vector<float>& p, int ow, int oh) {
  FixedCrop fixed;
  dk::Crop& crop = fixed.crop;
  crop.ow = ow;
  crop.oh = oh;
  crop.left = static_cast<int>(p[0]);
  crop.top = static_cast<int>(p[1]);
  crop.right = static_cast<int>(p[2]);
  crop.bottom = static_cast<int>(p[3]);
  crop.flip = p[4] != 0;
  crop.hue = p[5];
  crop.saturation = p[6];
  crop.exposure = p[7];
  fixed.net_w = static_cast<int>(p[8]);
  fixed.net_h = static_cast<int>(p[9]);
  return fixed;
}

// The whole augmented picture of a crop.
inline std::vector<float> render(const FixedCrop& fixed, const dk::SourceImage& source) {
  dk::PixelPatch patch;
  patch.w = fixed.net_w;
  patch.h = fixed.net_h;
  patch.x = dk::crop_map_x(fixed.crop, fixed.net_w, source.image.w);
  patch.y = dk::crop_map_y(fixed.crop, fixed.net_h, source.image.h);
  patch.colour = dk::colour_shift(fixed.crop.hue, fixed.crop.saturation, fixed.crop.exposure);
  std::vector<float> pixels(static_cast<size_t>(fixed.net_w * fixed.net_h * source.image.channels));
  dk::RenderScratch scratch;
  dk::render_patch(patch, source, fixed.net_w, fixed.net_h, pixels.data(), scratch);
  return pixels;
}

inline float largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  float most = 0;
  for (size_t i = 0; i < a.size(); ++i) most = std::max(most, std::fabs(a[i] - b[i]));
  return most;
}

}  // namespace dk_test
