#include "draw_boxes.h"

#include <algorithm>
#include <cmath>

namespace dk {
namespace {

struct Colour {
  uint8_t rgb[3];
};

// Hues a golden angle apart stay distinct for any number of classes.
Colour class_colour(int class_id) {
  const float hue = std::fmod(0.11f + 0.618034f * static_cast<float>(class_id), 1.0f) * 6.0f;
  Colour colour;
  for (int k = 0; k < 3; ++k) {
    const float distance = std::fabs(std::fmod(hue + 6.0f - 2.0f * static_cast<float>(k), 6.0f) - 3.0f);
    colour.rgb[k] = static_cast<uint8_t>(255.0f * std::clamp(distance - 1.0f, 0.1f, 1.0f));
  }
  return colour;
}

void fill(Image8* image, int left, int top, int right, int bottom, Colour colour) {
  for (int y = std::max(0, top); y < std::min(image->h, bottom); ++y) {
    for (int x = std::max(0, left); x < std::min(image->w, right); ++x) std::copy_n(colour.rgb, 3, image->row(y) + 3 * x);
  }
}

}  // namespace

void draw_box(Image8* image, const Box& box, int class_id) {
  const auto pixel = [](float at, int side) {
    return static_cast<int>(std::lround(std::clamp(at, -1.0f, 2.0f) * static_cast<float>(side)));
  };
  const int left = pixel(box.x - box.w / 2, image->w), right = pixel(box.x + box.w / 2, image->w);
  const int top = pixel(box.y - box.h / 2, image->h), bottom = pixel(box.y + box.h / 2, image->h);
  const int line = std::max(1, std::max(image->w, image->h) / 300);
  const Colour colour = class_colour(class_id);
  fill(image, left, top, right, top + line, colour);
  fill(image, left, bottom - line, right, bottom, colour);
  fill(image, left, top, left + line, bottom, colour);
  fill(image, right - line, top, right, bottom, colour);
}

}  // namespace dk
