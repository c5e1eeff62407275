// Planning training pictures (see augment.h).
#include "data/augment.h"

#include <algorithm>
#include <utility>

#include "core/status.h"
#include "data/crop.h"
#include "math/philox.h"

namespace dk {
namespace {

struct SlotKey {
  uint64_t seed, iteration;
  uint32_t slot;
};

// Where one quadrant of a mosaic lies and which window of its augmented picture it shows (darknet.md 5.8).
struct Quadrant {
  int out_x, out_y, w, h, start_x, start_y;
};

// The shown corner is used fully: the crop moves so that no padding and no cut lies there. Quadrant 0 shows the lower right part
// of its picture, 1 the lower left, 2 the upper right, 3 the upper left; a flip exchanges left and right.
void move_to_corner(Crop& crop, int quadrant) {
  const bool right_part = (quadrant == 0 || quadrant == 2) != crop.flip;
  int& kept_x = right_part ? crop.right : crop.left;
  int& zeroed_x = right_part ? crop.left : crop.right;
  kept_x += std::exchange(zeroed_x, 0);
  if (quadrant < 2) {
    crop.bottom += std::exchange(crop.top, 0);
  } else {
    crop.top += std::exchange(crop.bottom, 0);
  }
}

// Network pixels of padding on one side, at most `most`.
int padding(int edge, int net, int whole, int most) {
  const int64_t pixels = -static_cast<int64_t>(edge) * net / whole;
  return static_cast<int>(std::clamp<int64_t>(pixels, 0, most));
}

Quadrant place_quadrant(const Crop& crop, int quadrant, const SlotPlan& plan, int w, int h) {
  const int left_edge = crop.flip ? crop.right : crop.left, right_edge = crop.flip ? crop.left : crop.right;
  const bool left_half = quadrant == 0 || quadrant == 2, upper_half = quadrant < 2;
  Quadrant place{};
  if (left_half) {
    place.w = plan.cut_x;
    place.start_x = w - plan.cut_x - padding(right_edge, w, crop.ow, w - plan.cut_x);
  } else {
    place.out_x = plan.cut_x;
    place.w = w - plan.cut_x;
    place.start_x = padding(left_edge, w, crop.ow, plan.cut_x);
  }
  if (upper_half) {
    place.h = plan.cut_y;
    place.start_y = h - plan.cut_y - padding(crop.bottom, h, crop.oh, h - plan.cut_y);
  } else {
    place.out_y = plan.cut_y;
    place.h = h - plan.cut_y;
    place.start_y = padding(crop.top, h, crop.oh, plan.cut_y);
  }
  return place;
}

// One side of a box after its picture moved by `shift` (share of the canvas), clipped to [low, high]. False: nothing usable is
// left.
bool shift_side(float& centre, float& size, float shift, float low, float high, float least) {
  const float from = std::max(centre - size / 2 + shift, low), to = std::min(centre + size / 2 + shift, high);
  centre = (from + to) / 2;
  size = to - from;
  return size > least && size < 1 && centre > 0 && centre < 1;
}

void shift_boxes(std::vector<LabelBox>& boxes, const Quadrant& place, const AugmentOptions& options) {
  const float w = static_cast<float>(options.w), h = static_cast<float>(options.h);
  const float shift_x = static_cast<float>(place.out_x - place.start_x) / w,
              shift_y = static_cast<float>(place.out_y - place.start_y) / h;
  float low_x = 0, high_x = 1, low_y = 0, high_y = 1;
  if (options.mosaic_bound) {
    low_x = static_cast<float>(place.out_x) / w;
    high_x = static_cast<float>(place.out_x + place.w) / w;
    low_y = static_cast<float>(place.out_y) / h;
    high_y = static_cast<float>(place.out_y + place.h) / h;
  }
  std::erase_if(boxes, [&](LabelBox& box) {
    return !shift_side(box.x, box.w, shift_x, low_x, high_x, 1 / w) || !shift_side(box.y, box.h, shift_y, low_y, high_y, 1 / h);
  });
}

// One source: its boxes in the finished picture, its patch behind the plan's others.
std::vector<LabelBox> place_source(const AugmentOptions& options, const SlotKey& key, const SlotPlan& slot, uint32_t index,
                                   const AugmentSource& source, PicturePlan& plan) {
  const SourceImage& image = *source.image;
  DK_ASSERT(image.image.channels == options.channels);
  Crop crop = draw_crop(options, key.seed, key.iteration, key.slot, index, image.full_w, image.full_h);
  const bool mosaic = slot.mixing == Mixing::mosaic;
  const int quadrant = static_cast<int>(index);
  if (mosaic && crop.corner) move_to_corner(crop, quadrant);
  const Quadrant place =
      mosaic ? place_quadrant(crop, quadrant, slot, options.w, options.h) : Quadrant{0, 0, options.w, options.h, 0, 0};
  std::vector<LabelBox> boxes = crop_boxes(options, crop, *source.boxes, key.seed, key.iteration, key.slot, index);

  PatchPlan& part = plan.patches.emplace_back();
  PixelPatch& patch = part.patch;
  patch.source = quadrant;
  patch.out_x = place.out_x;
  patch.out_y = place.out_y;
  patch.w = place.w;
  patch.h = place.h;
  patch.start_x = place.start_x;
  patch.start_y = place.start_y;
  patch.x = crop_map_x(crop, options.w, image.image.w);
  patch.y = crop_map_y(crop, options.h, image.image.h);
  patch.colour = colour_shift(crop.hue, crop.saturation, crop.exposure);
  patch.weight = slot.mixing == Mixing::mixup ? 0.5f : 1.0f;
  patch.accumulate = slot.mixing == Mixing::mixup && index > 0;
  if (crop.blur != 0) part.blur = plan_blur(crop.blur, boxes, options.w, options.h);
  part.noise = crop.noise;
  part.noise_slot = key.slot * kSourcesPerSlot + index;
  if (mosaic) shift_boxes(boxes, place, options);
  return boxes;
}

}  // namespace

SlotPlan plan_slot(const AugmentOptions& options, uint64_t seed, uint64_t iteration, uint32_t slot) {
  Draws draws(seed, Purpose::mosaic, iteration, slot);
  const bool mosaic = draws.coin(), mixup = draws.coin();
  const auto cut = [&](int side) {
    const int low = static_cast<int>(static_cast<float>(side) * 0.2f), high = static_cast<int>(static_cast<float>(side) * 0.8f);
    return low + static_cast<int>(draws.below(static_cast<uint32_t>(high - low + 1)));
  };
  SlotPlan plan;
  plan.cut_x = cut(options.w);
  plan.cut_y = cut(options.h);
  if (options.mosaic && mosaic) {
    plan.mixing = Mixing::mosaic;
    plan.sources = 4;
  } else if (options.mixup && mixup) {
    plan.mixing = Mixing::mixup;
    plan.sources = 2;
  }
  return plan;
}

PicturePlan plan_picture(const AugmentOptions& options, uint64_t seed, uint64_t iteration, uint32_t slot, const SlotPlan& plan,
                         std::span<const AugmentSource> sources, float* truth) {
  DK_ASSERT(static_cast<int>(sources.size()) == plan.sources);
  const SlotKey key{seed, iteration, slot};
  const int most = options.max_boxes;
  std::fill_n(truth, static_cast<size_t>(most) * kTruthFloats, 0.0f);
  PicturePlan picture;
  picture.seed = seed;
  picture.iteration = iteration;
  picture.patches.reserve(sources.size());
  int rows = 0;
  for (size_t index = 0; index < sources.size(); ++index) {
    for (const LabelBox& box : place_source(options, key, plan, static_cast<uint32_t>(index), sources[index], picture)) {
      if (rows == most) break;
      const float row[kTruthFloats] = {box.x, box.y, box.w, box.h, static_cast<float>(box.class_id)};
      std::copy_n(row, kTruthFloats, truth + static_cast<ptrdiff_t>(rows++) * kTruthFloats);
    }
  }
  return picture;
}

}  // namespace dk
