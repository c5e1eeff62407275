// One source of a training picture: pixels and boxes of fixed crops against OpenCV and numpy (golden/augment), colour, blur,
// noise, and the range of what is drawn.
#include "doctest/doctest.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "crop_rig.h"
#include "data/crop.h"
#include "golden_arrays.h"

using namespace dk;
using namespace dk_test;

TEST_SUITE("crop") {
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
    // Brighter than white: the colour stays, as bright as it can be. More colourful than a pure colour: the pure colour.
    r = 0.9f, g = 0.6f, b = 0.6f;
    shift_colour(colour_shift(0, 1, 2), r, g, b);
    CHECK((r == doctest::Approx(1) && g == doctest::Approx(2.0 / 3) && b == doctest::Approx(2.0 / 3)));
    shift_colour(colour_shift(0, 9, 0.5f), r, g, b);
    CHECK((r == doctest::Approx(0.5) && g == 0.0f && b == 0.0f));
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
    blur_picture(image, plan_blur(1, {{0, 0.5f, 0.5f, 0.5f, 0.25f}}, image.w, image.h), scratch);
    CHECK(image.row(0, 16)[16] == sharp.row(0, 16)[16]);
    CHECK(image.row(0, 12)[8] == sharp.row(0, 12)[8]);
    CHECK(std::fabs(image.row(0, 2)[2] - 0.5f) < 0.05f);
    ImageF unchanged = sharp;
    blur_picture(unchanged, plan_blur(9, {{0, 0.5f, 0.5f, 0.2f, 0.2f}}, unchanged.w, unchanged.h),
                 scratch);  // 6 pixels: no blur is left
    CHECK(unchanged.data == sharp.data);
    blur_picture(unchanged, plan_blur(9, {}, unchanged.w, unchanged.h), scratch);
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
}
