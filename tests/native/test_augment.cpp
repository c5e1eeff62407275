// Whole training pictures: boxes must enclose what was painted inside them, whatever was drawn and however pictures are mixed.
#include "doctest/doctest.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "crop_rig.h"
#include "data/augment.h"
#include "data/crop.h"
#include "golden_arrays.h"
#include "temp_folder.h"

using namespace dk;
using namespace dk_test;

namespace {

// A grey picture with boxes of colours that occur nowhere else, no two of them near each other: class k is painted with
// colour(k).
struct Painted {
  SourceImage source;
  std::vector<LabelBox> boxes;
};

const uint8_t kPalette[12][3] = {{255, 0, 0},   {0, 255, 0},   {0, 0, 255},   {255, 255, 0}, {255, 0, 255}, {0, 255, 255},
                                 {128, 0, 255}, {255, 128, 0}, {0, 255, 128}, {128, 255, 0}, {255, 0, 128}, {0, 128, 255}};

Painted paint(int w, int h, int first_class, int boxes) {
  Painted painted;
  Image8 image{w, h, 3, std::vector<uint8_t>(static_cast<size_t>(w * h * 3), 90)};
  for (int k = 0; k < boxes; ++k) {
    const int left = w * (1 + 3 * k) / 10, right = left + w / 5, top = h * (2 + 2 * (k % 2)) / 10, bottom = top + h * 4 / 10;
    for (int y = top; y < bottom; ++y) {
      for (int x = left; x < right; ++x) std::copy_n(kPalette[first_class + k], 3, image.row(y) + x * 3);
    }
    const float fw = static_cast<float>(w), fh = static_cast<float>(h);
    painted.boxes.push_back({first_class + k, static_cast<float>(left + right) / 2 / fw,
                             static_cast<float>(top + bottom) / 2 / fh, static_cast<float>(right - left) / fw,
                             static_cast<float>(bottom - top) / fh});
  }
  painted.source = make_source(std::move(image), w, h);
  return painted;
}

struct Extent {
  int left = 1 << 20, top = 1 << 20, right = -1, bottom = -1, pixels = 0;
};

// Where each class's colour is seen (nearly pure pixels only: borders are mixed).
std::map<int, Extent> seen_colours(const std::vector<float>& pixels, int w, int h) {
  std::map<int, Extent> seen;
  for (int y = 0; y < h; ++y) {
    for (int x = 0; x < w; ++x) {
      for (int k = 0; k < 12; ++k) {
        float off = 0;
        for (int c = 0; c < 3; ++c) {
          const float value = pixels[static_cast<size_t>((c * h + y) * w + x)];
          off = std::max(off, std::fabs(value - static_cast<float>(kPalette[k][c]) / 255.0f));
        }
        if (off > 0.05f) continue;
        Extent& extent = seen[k];
        extent.left = std::min(extent.left, x);
        extent.right = std::max(extent.right, x + 1);
        extent.top = std::min(extent.top, y);
        extent.bottom = std::max(extent.bottom, y + 1);
        ++extent.pixels;
      }
    }
  }
  return seen;
}

// What the loader does with one picture on the host.
void augment_slot(const AugmentOptions& options, uint32_t slot, const SlotPlan& mix, const std::vector<AugmentSource>& sources,
                  std::vector<float>& pixels, std::vector<float>& truth) {
  const PicturePlan plan = plan_picture(options, 5, 3, slot, mix, sources, truth.data());
  std::vector<const SourceImage*> images;
  for (const AugmentSource& source : sources) images.push_back(source.image);
  RenderScratch scratch;
  render_picture(plan, images, {options.w, options.h}, pixels.data(), scratch);
}

// A picture of up to four painted sources, made like the loader does.
struct Made {
  SlotPlan plan;
  std::vector<float> pixels, truth;
};

Made make_slot(const AugmentOptions& options, const std::vector<Painted>& painted, uint32_t slot) {
  Made made;
  made.plan = plan_slot(options, 5, 3, slot);
  made.pixels.assign(static_cast<size_t>(options.w * options.h * 3), -1.0f);
  made.truth.assign(static_cast<size_t>(options.max_boxes) * kTruthFloats, -1.0f);
  std::vector<AugmentSource> sources;
  for (int i = 0; i < made.plan.sources; ++i)
    sources.push_back({&painted[static_cast<size_t>(i)].source, &painted[static_cast<size_t>(i)].boxes});
  augment_slot(options, slot, made.plan, sources, made.pixels, made.truth);
  return made;
}

std::vector<Painted> four_paintings() {
  std::vector<Painted> painted;
  painted.push_back(paint(160, 120, 0, 3));
  painted.push_back(paint(120, 160, 3, 3));
  painted.push_back(paint(200, 90, 6, 3));
  painted.push_back(paint(96, 96, 9, 3));
  return painted;
}

AugmentOptions painted_options() {
  AugmentOptions options;
  options.w = 128;
  options.h = 96;
  options.jitter = 0.3f;
  options.resize = 1.4f;
  options.flip = true;
  options.max_boxes = 20;
  options.classes = 12;
  return options;
}

// Each truth box must enclose its colour; with `tight` it must be no larger either. Each colour seen at size must have a box.
void check_boxes(const Made& made, const AugmentOptions& options, bool tight) {
  const std::map<int, Extent> seen = seen_colours(made.pixels, options.w, options.h);
  std::set<int> boxed;
  for (int i = 0; i < options.max_boxes; ++i) {
    const float* row = made.truth.data() + i * kTruthFloats;
    if (row[0] == 0) break;
    const int class_id = static_cast<int>(row[4]);
    boxed.insert(class_id);
    const float w = static_cast<float>(options.w), h = static_cast<float>(options.h);
    const float left = (row[0] - row[2] / 2) * w, right = (row[0] + row[2] / 2) * w;
    const float top = (row[1] - row[3] / 2) * h, bottom = (row[1] + row[3] / 2) * h;
    const auto found = seen.find(class_id);
    if (found == seen.end()) {
      // Only a sliver can be without a single pure pixel.
      if (tight) CHECK(std::min(right - left, bottom - top) < 4.0f);
      continue;
    }
    const Extent& extent = found->second;
    CHECK(static_cast<float>(extent.left) >= left - 1.5f);
    CHECK(static_cast<float>(extent.right) <= right + 1.5f);
    CHECK(static_cast<float>(extent.top) >= top - 1.5f);
    CHECK(static_cast<float>(extent.bottom) <= bottom + 1.5f);
    if (!tight) continue;
    CHECK(static_cast<float>(extent.left) <= left + 3.0f);
    CHECK(static_cast<float>(extent.right) >= right - 3.0f);
    CHECK(static_cast<float>(extent.top) <= top + 3.0f);
    CHECK(static_cast<float>(extent.bottom) >= bottom - 3.0f);
  }
  for (const auto& [class_id, extent] : seen) {
    if (extent.right - extent.left > 3 && extent.bottom - extent.top > 3) CHECK(boxed.count(class_id) == 1);
  }
}

}  // namespace

TEST_SUITE("augment") {
  TEST_CASE("without augmentation a picture is just resized") {
    AugmentOptions options;
    options.w = 40;
    options.h = 36;
    options.jitter = 0;
    options.max_boxes = 2;
    const SourceImage source = golden_picture();
    const std::vector<LabelBox> boxes{{0, 0.5f, 0.25f, 0.5f, 0.125f}};
    const AugmentSource only{&source, &boxes};
    std::vector<float> pixels(40 * 36 * 3), truth(10, -1.0f);
    augment_slot(options, 3, plan_slot(options, 5, 3, 3), {only}, pixels, truth);
    CHECK(largest_difference(pixels, read_golden("augment").at("crop0.pixels").values) < 2e-5f);
    CHECK(truth == std::vector<float>{0.5f, 0.25f, 0.5f, 0.125f, 0, 0, 0, 0, 0, 0});
  }

  TEST_CASE("boxes enclose their objects: single pictures, letter box") {
    const std::vector<Painted> painted = four_paintings();
    AugmentOptions options = painted_options();
    for (uint32_t slot = 0; slot < 60; ++slot) {
      CAPTURE(slot);
      options.letter_box = slot % 2 == 1;
      const Painted& one = painted[slot % 4];
      check_boxes(make_slot(options, {one}, slot), options, true);
    }
  }

  TEST_CASE("boxes enclose their objects: mosaic, boxes cut at the quadrant") {
    const std::vector<Painted> painted = four_paintings();
    AugmentOptions options = painted_options();
    options.mosaic = options.mosaic_bound = true;
    int mosaics = 0;
    for (uint32_t slot = 0; slot < 200; ++slot) {
      CAPTURE(slot);
      const Made made = make_slot(options, painted, slot);
      if (made.plan.mixing != Mixing::mosaic) continue;
      ++mosaics;
      CHECK((made.plan.cut_x >= 25 && made.plan.cut_x <= 102 && made.plan.cut_y >= 19 && made.plan.cut_y <= 76));
      check_boxes(made, options, true);
      CHECK(*std::min_element(made.pixels.begin(), made.pixels.end()) >= 0.0f);  // every pixel was written
    }
    CHECK((mosaics > 70 && mosaics < 130));
  }

  TEST_CASE("boxes enclose their objects: mosaic as upstream, boxes may reach into the neighbour") {
    const std::vector<Painted> painted = four_paintings();
    AugmentOptions options = painted_options();
    options.mosaic = true;
    for (uint32_t slot = 0; slot < 100; ++slot) check_boxes(make_slot(options, painted, slot), options, false);
  }

  TEST_CASE("a mosaic's quadrants are windows of the four augmented pictures") {
    // Four plain colours: each quadrant shows its own, but for padding in the mean colour, which is the same.
    std::vector<Painted> plain(4);
    for (size_t i = 0; i < 4; ++i) {
      Image8 image{50, 50, 3, {}};
      for (int p = 0; p < 2500; ++p) image.pixels.insert(image.pixels.end(), kPalette[i], kPalette[i] + 3);
      plain[i].source = make_source(std::move(image), 50, 50);
    }
    AugmentOptions options = painted_options();
    options.mosaic = true;
    for (uint32_t slot = 0; slot < 20; ++slot) {
      const Made made = make_slot(options, plain, slot);
      if (made.plan.mixing != Mixing::mosaic) continue;
      for (int y = 0; y < options.h; y += 3) {
        for (int x = 0; x < options.w; x += 3) {
          const size_t quadrant = (x >= made.plan.cut_x ? 1u : 0u) + (y >= made.plan.cut_y ? 2u : 0u);
          for (int c = 0; c < 3; ++c) {
            const float value = made.pixels[static_cast<size_t>((c * options.h + y) * options.w + x)];
            CHECK(value == doctest::Approx(kPalette[quadrant][c] / 255.0).epsilon(1e-4));
          }
        }
      }
    }
  }

  TEST_CASE("MixUp is the mean of two pictures with the boxes of both") {
    const std::vector<Painted> painted = four_paintings();
    AugmentOptions options = painted_options();
    options.mixup = true;
    int mixed = 0;
    for (uint32_t slot = 0; slot < 20; ++slot) {
      const Made made = make_slot(options, painted, slot);
      if (made.plan.mixing != Mixing::mixup) continue;
      ++mixed;
      const AugmentOptions single = painted_options();
      const SlotPlan one{};
      std::vector<float> sum(made.pixels.size(), 0.0f), pixels(sum.size()), truth(made.truth.size());
      const Crop crop = draw_crop(single, 5, 3, slot, 1, painted[1].source.full_w, painted[1].source.full_h);
      const std::vector<float> second = render({crop, single.w, single.h}, painted[1].source);
      const AugmentSource first{&painted[0].source, &painted[0].boxes};
      augment_slot(single, slot, one, {first}, pixels, truth);
      for (size_t i = 0; i < sum.size(); ++i) sum[i] = (pixels[i] + second[i]) / 2;
      CHECK(largest_difference(sum, made.pixels) < 1e-6f);
      size_t first_boxes = 0;
      while (truth[first_boxes * 5] != 0) ++first_boxes;
      CHECK(std::equal(truth.begin(), truth.begin() + static_cast<ptrdiff_t>(first_boxes * 5), made.truth.begin()));
      CHECK(made.truth[first_boxes * 5 + 4] >= 3.0f);
    }
    CHECK((mixed > 2 && mixed < 18));
  }

  TEST_CASE("blur and noise keep to their place in a mosaic") {
    const std::vector<Painted> painted = four_paintings();
    AugmentOptions options = painted_options();
    options.mosaic = true;
    const AugmentOptions calm = options;
    options.blur = 1;
    options.gaussian_noise = 20;
    int changed = 0;
    for (uint32_t slot = 0; slot < 20; ++slot) {
      const Made made = make_slot(options, painted, slot), still = make_slot(calm, painted, slot);
      CHECK(made.truth == still.truth);
      CHECK((*std::min_element(made.pixels.begin(), made.pixels.end()) >= 0 &&
             *std::max_element(made.pixels.begin(), made.pixels.end()) <= 1));
      changed += made.pixels != still.pixels;
      double difference = 0;
      for (size_t i = 0; i < made.pixels.size(); ++i) difference += std::fabs(made.pixels[i] - still.pixels[i]);
      CHECK(difference / static_cast<double>(made.pixels.size()) < 0.2);
      CHECK(make_slot(options, painted, slot).pixels == made.pixels);
    }
    CHECK(changed > 10);
  }

  TEST_CASE("options that can't work are refused") {
    const auto refused = [](auto change) {
      AugmentOptions options;
      change(options);
      return error_of([&] { check_augment_options(options); });
    };
    CHECK(contains(refused([](AugmentOptions& o) { o.mosaic = o.letter_box = true; }), "mosaic"));
    CHECK(contains(refused([](AugmentOptions& o) { o.jitter = std::nanf(""); }), "jitter"));
    CHECK(contains(refused([](AugmentOptions& o) { o.saturation = 0; }), "saturation"));
    CHECK(contains(refused([](AugmentOptions& o) { o.channels = 4; }), "channels=4"));
    CHECK(contains(refused([](AugmentOptions& o) { o.resize = -1; }), "resize"));
    CHECK(contains(refused([](AugmentOptions& o) { o.max_boxes = 0; }), "max=0"));
    CHECK(refused([](AugmentOptions&) {}).empty());
  }
}
