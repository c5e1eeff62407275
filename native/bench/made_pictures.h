// Made pictures for measurements, where there is no set to load: blotches with about the detail, and so the bytes a pixel, of a
// photograph; and discs, squares and triangles on them, which a detector can learn.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "core/status.h"
#include "data/image.h"

namespace dk {

inline uint32_t made_hash(uint32_t x) {
  x ^= x >> 16;
  x *= 0x7FEB352Du;
  x ^= x >> 15;
  x *= 0x846CA68Bu;
  return x ^ (x >> 16);
}

inline Image8 made_picture(int w, int h, uint32_t seed) {
  Image8 image{w, h, 3, {}};
  image.pixels.reserve(static_cast<size_t>(w) * static_cast<size_t>(h) * 3);
  for (int y = 0; y < h; ++y) {
    for (int x = 0; x < w; ++x) {
      int level = 0;
      for (int octave = 0; octave < 4; ++octave) {
        const int cell = w >> (3 + 2 * octave) > 1 ? w >> (3 + 2 * octave) : 1;
        const uint32_t place = static_cast<uint32_t>(y / cell) * 65537u + static_cast<uint32_t>(x / cell);
        level += static_cast<int>(made_hash(place * 4u + static_cast<uint32_t>(octave) + seed * 977u) % 64u) >> octave;
      }
      for (int c = 0; c < 3; ++c) image.pixels.push_back(static_cast<uint8_t>(60 + level + 20 * c));
    }
  }
  return image;
}

// Draws one thing of each of some kinds, apart from each other, and returns its label lines: kind 0 disc, 1 square, 2 triangle.
class ShapePainter {
 public:
  ShapePainter(Image8* image, uint32_t seed) : image_(*image), state_(made_hash(seed + 1u)) {}

  std::string paint() {
    std::string labels;
    const int columns = 3, rows = 2;
    for (int place = 0; place < columns * rows; ++place) {
      if (draw(100) < 40) continue;
      const int kind = draw(3), cell_w = image_.w / columns, cell_h = image_.h / rows;
      const int radius = std::max(3, std::min(cell_w, cell_h) * (20 + draw(25)) / 100);
      const int cx = place % columns * cell_w + radius + draw(std::max(1, cell_w - 2 * radius));
      const int cy = place / columns * cell_h + radius + draw(std::max(1, cell_h - 2 * radius));
      paint_one(kind, cx, cy, radius);
      labels += strf("%d %.6f %.6f %.6f %.6f\n", kind, (cx + 0.5) / image_.w, (cy + 0.5) / image_.h,
                     (2.0 * radius + 1) / image_.w, (2.0 * radius + 1) / image_.h);
    }
    return labels;
  }

 private:
  int draw(int below) {
    state_ = made_hash(state_ + 0x9E3779B9u);
    return static_cast<int>(state_ % static_cast<uint32_t>(below));
  }

  static bool inside(int kind, int dx, int dy, int radius) {
    if (kind == 0) return dx * dx + dy * dy <= radius * radius;
    if (kind == 1) return true;
    return 2 * std::abs(dx) <= dy + radius;  // the tip on top
  }

  void paint_one(int kind, int cx, int cy, int radius) {
    uint8_t colour[3];
    for (uint8_t& channel : colour) channel = static_cast<uint8_t>(draw(2) == 0 ? draw(60) : 195 + draw(60));
    for (int y = std::max(0, cy - radius); y <= std::min(image_.h - 1, cy + radius); ++y) {
      for (int x = std::max(0, cx - radius); x <= std::min(image_.w - 1, cx + radius); ++x) {
        if (!inside(kind, x - cx, y - cy, radius)) continue;
        for (size_t c = 0; c < 3; ++c)
          image_.pixels[(static_cast<size_t>(y) * static_cast<size_t>(image_.w) + static_cast<size_t>(x)) * 3 + c] = colour[c];
      }
    }
  }

  Image8& image_;
  uint32_t state_;
};

}  // namespace dk
