// One training picture with its truth: which sources it is mixed from, and where what part of each goes (darknet.md 5.3 to 5.8).
// Everything is a pure function of (options, seed, iteration, slot) and the sources: any picture can be made again, in any order,
// on any thread. Unlike upstream, which decides on mosaic and MixUp once per loader thread and iteration, each picture decides
// for itself: the same expectation, without a dependence on the number of threads. With both switched on a picture that is no
// mosaic has its chance of MixUp.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/augment_options.h"
#include "data/labels.h"
#include "data/render.h"

namespace dk {

enum class Mixing { none, mixup, mosaic };

struct SlotPlan {
  Mixing mixing = Mixing::none;
  int sources = 1;           // 1, 2 (MixUp) or 4 (mosaic)
  int cut_x = 0, cut_y = 0;  // mosaic: where the quadrants meet
};

SlotPlan plan_slot(const AugmentOptions& options, uint64_t seed, uint64_t iteration, uint32_t slot);

struct AugmentSource {
  const SourceImage* image = nullptr;
  const std::vector<LabelBox>* boxes = nullptr;
};

// The floats of one box in the truth: x, y, w, h, class (darknet.md 4.2). The list ends at the first x of 0.
inline constexpr int kTruthFloats = 5;

// truth: max_boxes rows, all of them written. sources: plan.sources of them, with options.channels; their pixels are not looked
// at. The result is drawn by render_picture() or on a device.
PicturePlan plan_picture(const AugmentOptions& options, uint64_t seed, uint64_t iteration, uint32_t slot, const SlotPlan& plan,
                         std::span<const AugmentSource> sources, float* truth);

}  // namespace dk
