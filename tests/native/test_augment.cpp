// Augmentation: pixels and boxes of fixed crops against OpenCV and numpy (golden/augment), and whole pictures, whose boxes must
// enclose what was painted inside them whatever was drawn.
#include "doctest/doctest.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "data/augment.h"
#include "data/crop.h"
#include "data/epoch_order.h"
#include "data/image_decode.h"
#include "golden_arrays.h"
#include "temp_folder.h"

using namespace dk;
using namespace dk_test;

namespace {

SourceImage golden_picture() {
  Image8 image = decode_image_file(std::string(DK_GOLDEN_DIR) + "/decode/rgb.png");
  const int w = image.w, h = image.h;
  return make_source(std::move(image), w, h);
}

struct FixedCrop {
  Crop crop;
  int net_w, net_h;
};

FixedCrop fixed_crop(const std::vector<float>& p, int ow, int oh) {
  FixedCrop fixed;
  Crop& crop = fixed.crop;
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
std::vector<float> render(const FixedCrop& fixed, const SourceImage& source) {
  PixelPatch patch;
  patch.w = fixed.net_w;
  patch.h = fixed.net_h;
  patch.x = crop_map_x(fixed.crop, fixed.net_w, source.image.w);
  patch.y = crop_map_y(fixed.crop, fixed.net_h, source.image.h);
  patch.colour = colour_shift(fixed.crop.hue, fixed.crop.saturation, fixed.crop.exposure);
  std::vector<float> pixels(static_cast<size_t>(fixed.net_w * fixed.net_h * source.image.channels));
  RenderScratch scratch;
  render_patch(patch, source, fixed.net_w, fixed.net_h, pixels.data(), scratch);
  return pixels;
}

float largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  float most = 0;
  for (size_t i = 0; i < a.size(); ++i) most = std::max(most, std::fabs(a[i] - b[i]));
  return most;
}

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
  RenderScratch scratch;
  augment_slot(options, 5, 3, slot, made.plan, sources, made.pixels.data(), made.truth.data(), scratch);
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
  TEST_CASE("pixels of fixed crops, flips and colour shifts are OpenCV's") {
    const auto golden = read_golden("augment");
    const SourceImage source = golden_picture();
    for (int i = 0; i < 8; ++i) {
      CAPTURE(i);
      const std::string name = "crop" + std::to_string(i);
      const FixedCrop fixed = fixed_crop(golden.at(name + ".params").values, source.full_w, source.full_h);
      const bool shifted = fixed.crop.hue != 0 || fixed.crop.exposure != 1;
      CHECK(largest_difference(render(fixed, source), golden.at(name + ".pixels").values) < (shifted ? 1e-3f : 2e-5f));
    }
  }

  TEST_CASE("boxes of fixed crops are those of an independent computation") {
    const auto golden = read_golden("augment");
    std::vector<LabelBox> boxes;
    const std::vector<float>& in = golden.at("boxes").values;
    for (size_t i = 0; i < in.size(); i += 5)
      boxes.push_back({static_cast<int>(in[i]), in[i + 1], in[i + 2], in[i + 3], in[i + 4]});
    for (int i = 0; i < 8; ++i) {
      CAPTURE(i);
      const std::string name = "crop" + std::to_string(i);
      const FixedCrop fixed = fixed_crop(golden.at(name + ".params").values, 44, 28);
      AugmentOptions options;
      options.w = fixed.net_w;
      options.h = fixed.net_h;
      options.classes = 10;
      std::vector<LabelBox> moved = crop_boxes(options, fixed.crop, boxes, 1, 2, 3, 0);
      std::sort(moved.begin(), moved.end(), [](const LabelBox& a, const LabelBox& b) { return a.class_id < b.class_id; });
      const std::vector<float>& expected = golden.at(name + ".boxes").values;
      REQUIRE(moved.size() * 5 == expected.size());
      for (size_t b = 0; b < moved.size(); ++b) {
        const float row[5] = {static_cast<float>(moved[b].class_id), moved[b].x, moved[b].y, moved[b].w, moved[b].h};
        for (size_t k = 0; k < 5; ++k) CHECK(row[k] == doctest::Approx(expected[b * 5 + k]).epsilon(1e-4));
      }
    }
  }

  TEST_CASE("boxes of classes that don't exist are dropped, and no more than max are kept, whichever") {
    AugmentOptions options;
    options.classes = 2;
    options.max_boxes = 3;
    const Crop crop{.ow = 100, .oh = 100};
    CHECK(crop_boxes(options, crop, {{2, .5f, .5f, .5f, .5f}, {-1, .5f, .5f, .5f, .5f}, {1, .5f, .5f, .5f, .5f}}, 1, 1, 1, 0)
              .size() == 1);
    std::vector<LabelBox> many;
    for (int i = 0; i < 10; ++i) many.push_back({0, 0.05f + 0.09f * static_cast<float>(i), .5f, .05f, .05f});
    std::set<float> chosen;
    for (uint32_t slot = 0; slot < 40; ++slot) {
      const std::vector<LabelBox> kept = crop_boxes(options, crop, many, 1, 1, slot, 0);
      CHECK(kept.size() == 3);
      for (const LabelBox& box : kept) chosen.insert(box.x);
    }
    CHECK(chosen.size() == 10);
  }

  TEST_CASE("a stored picture that was reduced shows the same place of the whole picture") {
    // Two halves of a picture, 4 times as large as stored.
    Image8 stored{20, 10, 3, std::vector<uint8_t>(600, 0)};
    for (int y = 0; y < 10; ++y) std::fill_n(stored.row(y) + 30, 30, uint8_t{255});
    const SourceImage source = make_source(stored, 80, 40);
    FixedCrop fixed{{.ow = 80, .oh = 40, .left = 16, .top = -8, .right = -8, .bottom = 12}, 36, 18};
    const std::vector<float> pixels = render(fixed, source);
    // Crop of 72 x 36 from (16, -8): 2 pixels to one. White from 40: output column 12; inside the picture from row 4 on.
    const float* row = pixels.data() + 10 * 36;
    for (int x = 0; x < 10; ++x) CHECK(row[x] == 0.0f);
    for (int x = 14; x < 31; ++x) CHECK(row[x] == 1.0f);
    CHECK(row[34] == doctest::Approx(128 / 255.0));
    CHECK(pixels[20] == doctest::Approx(128 / 255.0));
  }

  TEST_CASE("the colour shift turns, wraps and clamps; nothing to do changes nothing") {
    float r = 1, g = 0, b = 0;
    shift_colour(colour_shift(1.0f / 3, 1, 1), r, g, b);
    CHECK(r == doctest::Approx(0).epsilon(1e-5));
    CHECK(g == doctest::Approx(1));
    shift_colour(colour_shift(-2.0f / 3, 1, 1), r, g, b);  // wraps below 0
    CHECK(b == doctest::Approx(1));
    CHECK_FALSE(changes_colour(colour_shift(0, 1, 1)));
    CHECK_FALSE(changes_colour(colour_shift(1, 1, 1)));
    uint32_t state = 1;
    for (int i = 0; i < 300; ++i) {
      float in[3], out[3];
      for (int c = 0; c < 3; ++c) {
        state = state * 1664525u + 1013904223u;
        in[c] = out[c] = static_cast<float>(state >> 24) / 255.0f;
      }
      shift_colour(colour_shift(0, 1, 1), out[0], out[1], out[2]);
      for (int c = 0; c < 3; ++c) CHECK(std::fabs(in[c] - out[c]) < 1e-5f);
      shift_colour(colour_shift(0.3f, 3, 2), out[0], out[1], out[2]);
      for (const float value : out) CHECK((value >= 0 && value <= 1));
    }
  }

  TEST_CASE("grey pictures are only brightened and darkened") {
    Image8 stored{8, 8, 1, {}};
    for (int i = 0; i < 64; ++i) stored.pixels.push_back(static_cast<uint8_t>(i * 4));
    const SourceImage source = make_source(stored, 8, 8);
    FixedCrop fixed{{.ow = 8, .oh = 8, .hue = 0.3f, .saturation = 2, .exposure = 1.5f}, 8, 8};
    const std::vector<float> pixels = render(fixed, source);
    for (size_t i = 0; i < 64; ++i) CHECK(pixels[i] == doctest::Approx(std::min(1.0, stored.pixels[i] * 1.5 / 255)));
  }

  TEST_CASE("blur is OpenCV's") {
    const auto golden = read_golden("augment");
    const FixedCrop whole{{.ow = 44, .oh = 28}, 44, 28};
    const ImageF image{44, 28, 3, render(whole, golden_picture())};
    for (const int size : {3, 5, 7, 9, 11, 17}) {
      ImageF blurred;
      blur_image(image, size, blurred);
      CHECK(largest_difference(blurred.data, golden.at("blur" + std::to_string(size)).values) < 1e-4f);
    }
  }

  TEST_CASE("a blurred background leaves the boxes sharp; small boxes lessen the blur") {
    ImageF image{32, 32, 1, {}}, scratch;
    for (int i = 0; i < 1024; ++i) image.data.push_back(i % 2 == 0 ? 1.0f : 0.0f);
    const ImageF sharp = image;
    blur_picture(image, 1, {{0, 0.5f, 0.5f, 0.5f, 0.25f}}, scratch);
    CHECK(image.row(0, 16)[16] == sharp.row(0, 16)[16]);
    CHECK(image.row(0, 12)[8] == sharp.row(0, 12)[8]);
    CHECK(std::fabs(image.row(0, 2)[2] - 0.5f) < 0.05f);
    ImageF unchanged = sharp;
    blur_picture(unchanged, 9, {{0, 0.5f, 0.5f, 0.2f, 0.2f}}, scratch);  // 6 pixels: no blur is left
    CHECK(unchanged.data == sharp.data);
    blur_picture(unchanged, 9, {}, scratch);
    CHECK(unchanged.data != sharp.data);
  }

  TEST_CASE("noise has the spread asked for") {
    ImageF image{64, 64, 3, std::vector<float>(64 * 64 * 3, 0.5f)};
    add_noise(image, 0.1f, 1, 2, 3);
    double sum = 0, squares = 0;
    for (const float value : image.data) {
      sum += value - 0.5;
      squares += (value - 0.5) * (value - 0.5);
    }
    const double n = static_cast<double>(image.data.size());
    CHECK(std::fabs(sum / n) < 0.004);
    CHECK(std::sqrt(squares / n) == doctest::Approx(0.1).epsilon(0.03));
    ImageF again{64, 64, 3, std::vector<float>(64 * 64 * 3, 0.5f)};
    add_noise(again, 0.1f, 1, 2, 3);
    CHECK(again.data == image.data);
    add_noise(again, 100.0f, 1, 2, 4);
    CHECK(*std::max_element(again.data.begin(), again.data.end()) == 1.0f);
    CHECK(*std::min_element(again.data.begin(), again.data.end()) == 0.0f);
  }

  TEST_CASE("crops stay within what jitter and resize allow") {
    AugmentOptions options;
    options.jitter = 0.3f;
    options.resize = 1.5f;
    options.hue = 0.1f;
    options.saturation = 1.5f;
    options.exposure = 2.0f;
    options.flip = true;
    // 640: 192 of jitter; resize moves both edges by -160 (1 - 1.5 = -0.5, halved) to 106 (1 - 1 / 1.5 = 1/3, halved).
    int flips = 0, least = 1000, most = -1000;
    for (uint32_t slot = 0; slot < 2000; ++slot) {
      const Crop crop = draw_crop(options, 9, 1, slot, 0, 640, 480);
      for (const int edge : {crop.left, crop.right}) {
        least = std::min(least, edge);
        most = std::max(most, edge);
      }
      CHECK((crop.top >= -144 - 120 && crop.top <= 144 + 80));
      CHECK(std::fabs(crop.hue) <= 0.1f);
      CHECK((crop.saturation >= 1 / 1.5f && crop.saturation <= 1.5f));
      CHECK((crop.exposure >= 0.5f && crop.exposure <= 2.0f));
      CHECK((crop.blur == 0 && crop.noise == 0));
      flips += crop.flip;
    }
    CHECK((least >= -192 - 160 && least < -300));
    CHECK((most <= 192 + 106 && most > 250));
    CHECK((flips > 900 && flips < 1100));
    options = AugmentOptions{};
    options.jitter = 0;
    const Crop plain = draw_crop(options, 9, 1, 0, 0, 640, 480);
    CHECK((plain.left == 0 && plain.top == 0 && plain.right == 0 && plain.bottom == 0 && !plain.flip && plain.saturation == 1));
    options.letter_box = true;
    const Crop boxed = draw_crop(options, 9, 1, 0, 0, 640, 480);
    CHECK((boxed.left == 0 && boxed.top == -80 && boxed.bottom == -80));
    CHECK(draw_crop(options, 9, 1, 0, 0, 100, 300).left == -100);
  }

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
    RenderScratch scratch;
    augment_slot(options, 1, 2, 3, plan_slot(options, 1, 2, 3), {&only, 1}, pixels.data(), truth.data(), scratch);
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
      RenderScratch scratch;
      const Crop crop = draw_crop(single, 5, 3, slot, 1, painted[1].source.full_w, painted[1].source.full_h);
      const std::vector<float> second = render({crop, single.w, single.h}, painted[1].source);
      const AugmentSource first{&painted[0].source, &painted[0].boxes};
      augment_slot(single, 5, 3, slot, one, {&first, 1}, pixels.data(), truth.data(), scratch);
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

TEST_SUITE("epoch_order") {
  TEST_CASE("each epoch shows each image once, in an order of its own") {
    for (const int images : {1, 2, 3, 5, 16, 17, 1000, 4097}) {
      CAPTURE(images);
      std::vector<int> orders[2];
      for (uint64_t epoch = 0; epoch < 2; ++epoch) {
        std::set<int> seen;
        for (int i = 0; i < images; ++i) {
          orders[epoch].push_back(image_at(42, epoch * static_cast<uint64_t>(images) + static_cast<uint64_t>(i), images));
          seen.insert(orders[epoch].back());
        }
        CHECK(seen.size() == static_cast<size_t>(images));
        CHECK((*seen.begin() == 0 && *seen.rbegin() == images - 1));
      }
      if (images >= 16) CHECK(orders[0] != orders[1]);
      if (images >= 1000) {
        // As in a random order, about one image follows its predecessor of the list.
        int neighbours = 0;
        for (size_t i = 1; i < orders[0].size(); ++i) neighbours += orders[0][i] == orders[0][i - 1] + 1;
        CHECK(neighbours < 10);
      }
    }
  }

  TEST_CASE("another seed gives another order") {
    int same = 0;
    for (uint64_t i = 0; i < 1000; ++i) same += image_at(1, i, 1000) == image_at(2, i, 1000);
    CHECK(same < 15);
  }
}
