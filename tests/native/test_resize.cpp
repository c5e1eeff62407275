// Resizing against upstream's figures (golden/resize.txt) and the half-pixel rule against values worked out by hand.
#include "doctest/doctest.h"

#include <cmath>
#include <fstream>
#include <sstream>

#include "data/resize.h"

using namespace dk;

namespace {

// The blocks of golden/resize.txt, each after a line that begins with '#'.
std::vector<std::vector<float>> golden_blocks() {
  std::ifstream file(std::string(DK_GOLDEN_DIR) + "/resize.txt");
  std::vector<std::vector<float>> blocks;
  for (std::string line; std::getline(file, line);) {
    if (line[0] == '#') {
      blocks.emplace_back();
      continue;
    }
    std::istringstream words(line);
    for (float value = 0; words >> value;) blocks.back().push_back(value);
  }
  return blocks;
}

void check_close(const ImageF& image, const std::vector<float>& expected, float tolerance) {
  REQUIRE(image.data.size() == expected.size());
  for (size_t i = 0; i < expected.size(); ++i) CHECK(std::fabs(image.data[i] - expected[i]) <= tolerance);
}

Image8 noise_picture(int w, int h, int channels) {
  Image8 image{w, h, channels, {}};
  uint32_t state = 7;
  for (int i = 0; i < w * h * channels; ++i) {
    state = state * 1664525u + 1013904223u;
    image.pixels.push_back(static_cast<uint8_t>(state >> 24));
  }
  return image;
}

}  // namespace

TEST_SUITE("resize") {
  TEST_CASE("resize_image and letterbox_image give upstream's figures") {
    const std::vector<std::vector<float>> blocks = golden_blocks();
    REQUIRE(blocks.size() == 3);
    const ImageF source{7, 5, 1, blocks[0]};
    check_close(resize_image(source, 11, 4), blocks[1], 1e-6f);
    check_close(letterbox_image(source, 8, 8), blocks[2], 1e-6f);
  }

  TEST_CASE("the direct way from 8 bits equals the way over floats") {
    for (const int channels : {1, 3}) {
      const Image8 image = noise_picture(37, 23, 3);
      for (const auto& [w, h] : {std::pair{64, 32}, {20, 41}, {37, 23}, {1, 1}, {33, 1}}) {
        check_close(resize_image(image, channels, w, h), resize_image(to_float(image, channels), w, h).data, 1e-6f);
        ImageF boxed{w, h, channels, std::vector<float>(static_cast<size_t>(w * h * channels), -1.0f)};
        letterbox_into(image, channels, w, h, boxed.data.data());
        check_close(boxed, letterbox_image(to_float(image, channels), w, h).data, 1e-6f);
      }
    }
    const Image8 grey = noise_picture(9, 6, 1);
    const ImageF repeated = resize_image(grey, 3, 9, 6);
    for (size_t i = 0; i < grey.pixels.size(); ++i) CHECK(repeated.data[2 * 54 + i] == doctest::Approx(grey.pixels[i] / 255.0));
  }

  TEST_CASE("corners aligned: first and last rows and columns stay") {
    const Image8 image = noise_picture(50, 40, 3);
    const ImageF small = resize_image(image, 3, 13, 17);
    for (int c = 0; c < 3; ++c) {
      CHECK(small.row(c, 0)[12] == doctest::Approx(image.row(0)[49 * 3 + c] / 255.0));
      CHECK(small.row(c, 16)[0] == doctest::Approx(image.row(39)[c] / 255.0));
    }
  }

  TEST_CASE("half-pixel rule") {
    const ImageF two{2, 1, 1, {0.0f, 1.0f}};
    check_close(resize_half_pixel(two, 4, 1), {0.0f, 0.25f, 0.75f, 1.0f}, 1e-6f);
    const ImageF four{4, 1, 1, {0.0f, 1.0f, 2.0f, 3.0f}};
    check_close(resize_half_pixel(four, 2, 1), {0.5f, 2.5f}, 1e-6f);
    check_close(resize_half_pixel(four, 3, 1), {1.0f / 6, 1.5f, 3 - 1.0f / 6}, 1e-6f);
    check_close(resize_half_pixel(four, 4, 2), {0, 1, 2, 3, 0, 1, 2, 3}, 1e-6f);
  }

  TEST_CASE("8 bits to floats and back") {
    const Image8 image = noise_picture(12, 7, 3);
    CHECK(to_8bit(to_float(image, 3)).pixels == image.pixels);
    CHECK(to_8bit(ImageF{3, 1, 1, {-0.5f, 1.7f, 0.5f}}).pixels == std::vector<uint8_t>{0, 255, 128});
  }

  TEST_CASE("where the letterbox lies") {
    const LetterboxPlace wide = letterbox_place(640, 480, 416, 416);
    CHECK(wide.w == 416);
    CHECK(wide.h == 312);
    CHECK(wide.y == 52);
    const LetterboxPlace line = letterbox_place(10000, 3, 416, 416);
    CHECK(line.h == 1);
  }
}
