// The arithmetic of one augmented pixel (darknet.md 5.3, 5.5, 5.6), one text for host and device: where it lies in the source
// picture, its bilinear mix, the shift of hue, saturation and exposure, noise. What is drawn and which patches make up a picture
// lives in data/augment.
#pragma once

#include <cmath>
#include <cstdint>

#include "math/host_device.h"
#include "math/philox.h"

namespace dk {

// One axis of the map from the augmented picture to the stored one: the centre of output pixel i falls on the position
// offset + scale * (i + 0.5) - 0.5, held within [low, high] (the border of the crop is repeated, as a resize of the cut-out
// does). A flip is a negative scale.
struct AxisMap {
  float scale = 1, offset = 0, low = 0, high = 0;
};

DK_HD float map_position(const AxisMap& map, int i) {
  const float position = map.offset + map.scale * (static_cast<float>(i) + 0.5f) - 0.5f;
  return position < map.low ? map.low : position > map.high ? map.high : position;
}

// Levels of 255 to 0..1.
inline constexpr float kPerLevel = 1.0f / 255.0f;

// The position on an axis of the stored picture, `size` pixels long, held one pixel outside it, where only the mean colour lies.
DK_HD float source_position(const AxisMap& map, int i, int size) {
  const float position = map_position(map, i), end = static_cast<float>(size);
  return position < -1.0f ? -1.0f : position > end ? end : position;
}

struct ColourShift {
  float hue6 = 0;        // sixths of the colour circle, in [0, 6)
  float saturation = 1;  // factor
  float exposure = 1;    // factor
};

DK_HD bool changes_colour(const ColourShift& shift) { return shift.hue6 != 0 || shift.saturation != 1 || shift.exposure != 1; }

// hue: share of the circle, -1..1.
DK_HD ColourShift colour_shift(float hue, float saturation, float exposure) {
  const float wrapped = 6.0f * (hue - floorf(hue));
  return ColourShift{wrapped >= 6.0f ? 0.0f : wrapped, saturation, exposure};
}

// One rectangle of an output picture [channels, h, w], filled from one source: output pixel (out_x + i, out_y + j) shows pixel
// (start_x + i, start_y + j) of that source's augmented picture. Outside the stored picture lies its mean colour.
struct PixelPatch {
  int source = 0;
  int out_x = 0, out_y = 0, w = 0, h = 0;
  int start_x = 0, start_y = 0;
  AxisMap x, y;
  ColourShift colour;
  float weight = 1;         // MixUp: 0.5
  bool accumulate = false;  // MixUp's second picture is added to the first
};

DK_HD float mix(float a, float b, float share) { return a + share * (b - a); }

DK_HD float clamp01(float x) { return x < 0.0f ? 0.0f : x > 1.0f ? 1.0f : x; }

// Shifts one RGB pixel (0..1) in HSV (darknet.md 5.5): saturation and value are scaled and end at 1, as in upstream's OpenCV
// build, so that a brighter picture keeps its colours instead of fading to white; hue turns and wraps, as in its other build.
// With chroma c = v * s, RGB is v - c plus c times a function of the hue.
DK_HD void shift_colour(const ColourShift& shift, float& r, float& g, float& b) {
  const float rg_high = r > g ? r : g, rg_low = r > g ? g : r;
  const float high = rg_high > b ? rg_high : b, low = rg_low < b ? rg_low : b;
  const float chroma = high - low;
  const float inverse = 1.0f / (chroma > 0.0f ? chroma : 1.0f);
  const float from_red = (g - b) * inverse, from_green = 2.0f + (b - r) * inverse, from_blue = 4.0f + (r - g) * inverse;
  float hue = high == r ? from_red : high == g ? from_green : from_blue;  // -1..5
  hue += shift.hue6;
  hue = hue < 0.0f ? hue + 6.0f : hue;
  hue = hue >= 6.0f ? hue - 6.0f : hue;
  const float scaled = chroma / (high > 0.0f ? high : 1.0f) * shift.saturation, value = high * shift.exposure;
  const float new_value = value > 1.0f ? 1.0f : value;
  const float new_chroma = new_value * (scaled > 1.0f ? 1.0f : scaled);
  const float floor_level = new_value - new_chroma;
  r = clamp01(floor_level + new_chroma * clamp01(fabsf(hue - 3.0f) - 1.0f));
  g = clamp01(floor_level + new_chroma * clamp01(2.0f - fabsf(hue - 2.0f)));
  b = clamp01(floor_level + new_chroma * clamp01(2.0f - fabsf(hue - 4.0f)));
}

// Mirrored at the border without repeating the border itself: -1 -> 1, n -> n - 2.
DK_HD int mirrored_index(int i, int n) {
  if (n == 1) return 0;
  const int period = 2 * (n - 1);
  const int wrapped = ((i % period) + period) % period;
  return wrapped < n ? wrapped : period - wrapped;
}

// Two normal numbers of 64 random bits (Box-Muller).
DK_HD void normal_pair(uint32_t first, uint32_t second, float out[2]) {
  const float u = (static_cast<float>(first >> 8) + 1.0f) * (1.0f / 16777216.0f);  // (0, 1]
  const float angle = static_cast<float>(second >> 8) * (6.2831853f / 16777216.0f);
  const float radius = sqrtf(-2.0f * logf(u));
  out[0] = radius * cosf(angle);
  out[1] = radius * sinf(angle);
}

// The bits behind the normal numbers for the elements 4 * block .. 4 * block + 3 of an augmented picture, a pair from two words.
DK_HD Philox4 noise_bits(uint64_t seed, uint64_t iteration, uint32_t slot, uint32_t block) {
  const uint32_t word = (static_cast<uint32_t>(Purpose::noise) << 24) | (block & 0xFFFFFFu);
  const Philox4 counter{{word, slot, static_cast<uint32_t>(iteration), static_cast<uint32_t>(iteration >> 32)}};
  return philox4x32(counter, static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32));
}

DK_HD void normal4(uint64_t seed, uint64_t iteration, uint32_t slot, uint32_t block, float out[4]) {
  const Philox4 bits = noise_bits(seed, iteration, slot, block);
  normal_pair(bits.v[0], bits.v[1], out);
  normal_pair(bits.v[2], bits.v[3], out + 2);
}

}  // namespace dk
