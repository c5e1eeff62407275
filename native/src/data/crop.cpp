// Drawing crops and moving boxes (see crop.h). Integer arithmetic truncates where upstream's does.
#include "data/crop.h"

#include <algorithm>
#include <cmath>

#include "core/status.h"
#include "math/philox.h"

namespace dk {
namespace {

// U(1, s), one over it with probability 1/2.
float draw_factor(Draws& draws, float s) {
  const float factor = draws.uniform(1.0f, s);
  return draws.coin() ? 1.0f / factor : factor;
}

// How far the resize key moves the two edges of one side: both by a number of its own from the same range.
struct ResizeRange {
  float low, high;
};

ResizeRange resize_range(float resize, int side) {
  const float down = std::min(resize, 1.0f / resize), up = std::max(resize, 1.0f / resize);
  const float low = static_cast<float>(static_cast<int>(static_cast<float>(side) * (1.0f - 1.0f / down) / 2.0f));
  const float high = static_cast<float>(static_cast<int>(static_cast<float>(side) * (1.0f - 1.0f / up) / 2.0f));
  return {low, resize >= 1.0f ? high : 0.0f};
}

int jittered(int most, float r) { return static_cast<int>(static_cast<float>(-most) + 2.0f * static_cast<float>(most) * r); }

int resized(const ResizeRange& range, float q) { return static_cast<int>(range.low + (range.high - range.low) * q); }

// letter_box: the shorter side is padded to the network's shape.
void pad_to_shape(Crop& crop, int net_w, int net_h) {
  const float net_shape = static_cast<float>(net_w) / static_cast<float>(net_h);
  const float w = static_cast<float>(crop.ow), h = static_cast<float>(crop.oh);
  if (w / h > net_shape) {
    const int pad = static_cast<int>((w / net_shape - h) / 2.0f);
    crop.top -= pad;
    crop.bottom -= pad;
  } else {
    const int pad = static_cast<int>((h * net_shape - w) / 2.0f);
    crop.left -= pad;
    crop.right -= pad;
  }
}

AxisMap axis_map(int from, int length, int whole, int net, int stored, bool flip) {
  const float shrink = static_cast<float>(stored) / static_cast<float>(whole);  // 1 unless the stored picture was reduced
  AxisMap map;
  map.scale = static_cast<float>(length) / static_cast<float>(net) * shrink;
  map.offset = static_cast<float>(from) * shrink;
  map.low = (static_cast<float>(from) + 0.5f) * shrink - 0.5f;
  map.high = (static_cast<float>(from + length) - 0.5f) * shrink - 0.5f;
  if (flip) {
    map.offset += map.scale * static_cast<float>(net);
    map.scale = -map.scale;
  }
  return map;
}

// Dropped before anything is moved: the mark of "no box", and boxes wholly outside the picture.
bool never_right(const LabelBox& box, int classes) {
  if (box.class_id < 0 || box.class_id >= classes || (box.x == 0 && box.y == 0)) return true;
  return box.x + box.w / 2 < 0 || box.x - box.w / 2 > 1 || box.y + box.h / 2 < 0 || box.y - box.h / 2 > 1;
}

// One side of a box: from the whole picture's shares to the crop's, clipped. from/length/whole describe the crop along it.
void move_side(float& centre, float& size, int from, int length, int whole, bool flip) {
  const float scale = static_cast<float>(length) / static_cast<float>(whole);
  const float shift = static_cast<float>(from) / static_cast<float>(whole) / scale;
  float low = (centre - size / 2) / scale - shift, high = (centre + size / 2) / scale - shift;
  if (flip) {
    const float mirrored = 1.0f - high;
    high = 1.0f - low;
    low = mirrored;
  }
  low = clamp01(low);
  high = clamp01(high);
  centre = (low + high) / 2;
  size = high - low;
}

}  // namespace

void check_augment_options(const AugmentOptions& o) {
  const auto within = [](float value, float low, float high) { return value >= low && value <= high; };  // false for nan
  if (o.w < 1 || o.h < 1 || o.w > 8192 || o.h > 8192) bad_input("network input of %d x %d pixels; 1 to 8192 a side", o.w, o.h);
  if (o.channels != 1 && o.channels != 3) bad_input("channels=%d: pictures are loaded with 1 (grey) or 3 (colour)", o.channels);
  if (!within(o.jitter, 0, 1)) bad_input("jitter=%g: 0 to 1", static_cast<double>(o.jitter));
  if (!within(o.resize, 0.05f, 20)) bad_input("resize=%g: 0.05 to 20", static_cast<double>(o.resize));
  if (!within(o.hue, -1, 1)) bad_input("hue=%g: -1 to 1", static_cast<double>(o.hue));
  if (!within(o.saturation, 0.01f, 100)) bad_input("saturation=%g: 0.01 to 100", static_cast<double>(o.saturation));
  if (!within(o.exposure, 0.01f, 100)) bad_input("exposure=%g: 0.01 to 100", static_cast<double>(o.exposure));
  if (o.blur < 0 || o.blur > 512) bad_input("blur=%d: 0 to 512", o.blur);
  if (o.gaussian_noise < 0) bad_input("gaussian_noise=%d: 0 or more", o.gaussian_noise);
  if (o.max_boxes < 1 || o.max_boxes > 100000) bad_input("max=%d: 1 to 100000 boxes an image", o.max_boxes);
  if (o.classes < 1) bad_input("classes=%d: at least 1", o.classes);
  if (o.mosaic && o.letter_box) bad_input("mosaic=1 and letter_box=1 can't be combined");
}

Crop draw_crop(const AugmentOptions& options, uint64_t seed, uint64_t iteration, uint32_t slot, uint32_t source, int ow, int oh) {
  // Everything is drawn whether it is used or not: switching one kind of augmentation leaves the others as they are.
  Draws draws(seed, Purpose::augment, iteration, slot * kSourcesPerSlot + source);
  float r[4], q[2];
  for (float& number : r) number = draws.uniform();
  for (float& number : q) number = draws.uniform();
  Crop crop;
  crop.ow = ow;
  crop.oh = oh;
  const bool flip = draws.coin();
  crop.flip = options.flip && flip;
  crop.hue = draws.uniform(-options.hue, options.hue);
  crop.saturation = draw_factor(draws, options.saturation);
  crop.exposure = draw_factor(draws, options.exposure);
  const uint32_t blur_kind = draws.below(3);
  const bool noise = draws.coin();
  crop.corner = draws.coin();
  if (options.blur > 0 && blur_kind > 0) crop.blur = blur_kind == 1 ? 1 : options.blur / 2 * 2 + 1;
  if (options.gaussian_noise > 0 && noise) crop.noise = static_cast<float>(std::min(options.gaussian_noise, 127)) / 255.0f;

  const int dw = static_cast<int>(static_cast<float>(ow) * options.jitter),
            dh = static_cast<int>(static_cast<float>(oh) * options.jitter);
  const ResizeRange across = resize_range(options.resize, ow), down = resize_range(options.resize, oh);
  crop.left = jittered(dw, r[0]) + resized(across, q[0]);
  crop.right = jittered(dw, r[1]) + resized(across, q[1]);
  crop.top = jittered(dh, r[2]) + resized(down, q[0]);
  crop.bottom = jittered(dh, r[3]) + resized(down, q[1]);
  if (options.letter_box) pad_to_shape(crop, options.w, options.h);
  const bool empty = crop.width() <= 0 || crop.height() <= 0 || crop.left >= ow || crop.top >= oh;
  if (empty) crop.left = crop.right = crop.top = crop.bottom = 0;
  return crop;
}

AxisMap crop_map_x(const Crop& crop, int net_w, int stored_w) {
  return axis_map(crop.left, crop.width(), crop.ow, net_w, stored_w, crop.flip);
}

AxisMap crop_map_y(const Crop& crop, int net_h, int stored_h) {
  return axis_map(crop.top, crop.height(), crop.oh, net_h, stored_h, false);
}

std::vector<LabelBox> crop_boxes(const AugmentOptions& options, const Crop& crop, const std::vector<LabelBox>& boxes,
                                 uint64_t seed, uint64_t iteration, uint32_t slot, uint32_t source) {
  std::vector<LabelBox> moved = boxes;
  Draws draws(seed, Purpose::sample, iteration, slot * kSourcesPerSlot + source);
  for (size_t i = moved.size(); i > 1; --i) std::swap(moved[i - 1], moved[draws.below(static_cast<uint32_t>(i))]);
  if (moved.size() > static_cast<size_t>(options.max_boxes)) moved.resize(static_cast<size_t>(options.max_boxes));
  const float least_w = 1.0f / static_cast<float>(options.w), least_h = 1.0f / static_cast<float>(options.h);
  std::erase_if(moved, [&](LabelBox& box) {
    if (never_right(box, options.classes)) return true;
    move_side(box.x, box.w, crop.left, crop.width(), crop.ow, crop.flip);
    move_side(box.y, box.h, crop.top, crop.height(), crop.oh, false);
    return box.w < least_w || box.h < least_h || box.x <= 0 || box.x > 1 || box.y <= 0 || box.y > 1;
  });
  return moved;
}

}  // namespace dk
