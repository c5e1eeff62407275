// The two forms a picture has in the engine. Decoding is image_decode.h, changing size is resize.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace dk {

// 8 bits a channel, rows from the top, channels side by side (HWC): RGB, or grey with channels = 1.
struct Image8 {
  int w = 0, h = 0, channels = 3;
  std::vector<uint8_t> pixels;

  size_t row_bytes() const { return static_cast<size_t>(w) * static_cast<size_t>(channels); }
  const uint8_t* row(int y) const { return pixels.data() + static_cast<size_t>(y) * row_bytes(); }
  uint8_t* row(int y) { return pixels.data() + static_cast<size_t>(y) * row_bytes(); }
};

// Planar (CHW) floats, 0..1: what networks take in.
struct ImageF {
  int w = 0, h = 0, c = 0;
  std::vector<float> data;

  size_t plane() const { return static_cast<size_t>(w) * static_cast<size_t>(h); }
  float* row(int channel, int y) {
    return data.data() + static_cast<size_t>(channel) * plane() + static_cast<size_t>(y) * static_cast<size_t>(w);
  }
  const float* row(int channel, int y) const { return const_cast<ImageF*>(this)->row(channel, y); }
};

}  // namespace dk
