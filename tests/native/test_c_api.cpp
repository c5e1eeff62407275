// The C interface as a C caller uses it: golden detections, structs of older and broken callers, ownership, every refusal.
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "darknet_bridge.h"
#include "data/image_decode.h"
#include "doctest/doctest.h"

namespace dk {
namespace {

const std::string kGolden = DK_GOLDEN_DIR;
const std::string kCfg = kGolden + "/tiny/net.cfg", kWeights = kGolden + "/tiny/trained.weights";
const std::string kImage = kGolden + "/images/v00.png";

struct Opened {
  explicit Opened(const dk_network_options* options = nullptr) {
    REQUIRE(dk_network_open(kCfg.c_str(), kWeights.c_str(), options, &network) == DK_OK);
  }
  ~Opened() { dk_network_close(network); }
  dk_network* network = nullptr;
};

struct Found {
  ~Found() { dk_detections_free(list); }
  dk_detections* list = nullptr;
};

dk_image from_path(const std::string& path) {
  dk_image image{};
  image.struct_size = sizeof image;
  image.path = path.c_str();
  return image;
}

dk_image from_pixels(const Image8& pixels) {
  dk_image image{};
  image.struct_size = sizeof image;
  image.format = DK_PIXELS_RGB8;
  image.width_px = pixels.w, image.height_px = pixels.h;
  image.row_bytes = static_cast<int64_t>(pixels.row_bytes());
  image.pixels = pixels.pixels.data();
  return image;
}

bool says(const char* words) { return std::strstr(dk_last_error(), words) != nullptr; }

}  // namespace

TEST_SUITE("c_api") {
  TEST_CASE("detects what upstream detects") {
    const Opened opened;
    const dk_image image = from_path(kImage);
    Found found;
    REQUIRE(dk_network_detect(opened.network, &image, 1, nullptr, &found.list) == DK_OK);
    REQUIRE(found.list->image_count == 1);
    REQUIRE(found.list->item_size == sizeof(dk_detection));
    REQUIRE(found.list->offsets[1] == 1);
    const dk_detection& box = found.list->items[0];  // golden/tiny/detections_trained.json, v00
    CHECK(box.class_id == 1);
    CHECK(box.score == doctest::Approx(0.93986).epsilon(1e-5));
    CHECK(box.cx == doctest::Approx(0.453172).epsilon(1e-5));
    CHECK(box.cy == doctest::Approx(0.368497).epsilon(1e-5));
    CHECK(box.w == doctest::Approx(0.311763).epsilon(1e-5));
    CHECK(box.h == doctest::Approx(0.245795).epsilon(1e-5));
    CHECK(found.list->sizes_px[0] > 0);
  }

  TEST_CASE("all pixel formats and gaps between rows give the same boxes") {
    const Opened opened;
    const Image8 rgb = decode_image_file(kImage);
    Found wanted;
    const dk_image plain = from_pixels(rgb);
    REQUIRE(dk_network_detect(opened.network, &plain, 1, nullptr, &wanted.list) == DK_OK);
    REQUIRE(wanted.list->offsets[1] == 1);
    for (const int format : {DK_PIXELS_BGR8, DK_PIXELS_BGRA8, DK_PIXELS_RGB8}) {
      const int step = format == DK_PIXELS_BGRA8 ? 4 : 3;
      const int64_t row = static_cast<int64_t>(rgb.w) * step + 5;
      std::vector<uint8_t> pixels(static_cast<size_t>(row * rgb.h), 99);
      for (int y = 0; y < rgb.h; ++y) {
        for (int x = 0; x < rgb.w; ++x) {
          for (int c = 0; c < 3; ++c) {
            const int lane = format == DK_PIXELS_RGB8 ? c : 2 - c;
            pixels[static_cast<size_t>(y * row + x * step + lane)] = rgb.row(y)[3 * x + c];
          }
        }
      }
      dk_image image = plain;
      image.format = format, image.row_bytes = row, image.pixels = pixels.data();
      Found found;
      REQUIRE(dk_network_detect(opened.network, &image, 1, nullptr, &found.list) == DK_OK);
      REQUIRE(found.list->offsets[1] == 1);
      CHECK(std::memcmp(found.list->items, wanted.list->items, sizeof(dk_detection)) == 0);
    }
  }

  TEST_CASE("many images, in batches, keep their order") {
    dk_network_options options{sizeof(dk_network_options), 1, DK_PRECISION_F32, 3, "cpu"};
    const Opened opened(&options);
    const Image8 pixels = decode_image_file(kImage);
    std::vector<Image8> blank(1, Image8{4, 6, 3, std::vector<uint8_t>(4 * 6 * 3, 0)});
    const std::vector<dk_image> images = {from_pixels(pixels), from_pixels(blank[0]), from_path(kImage), from_pixels(pixels)};
    Found found;
    REQUIRE(dk_network_detect(opened.network, images.data(), 4, nullptr, &found.list) == DK_OK);
    const int64_t* at = found.list->offsets;
    CHECK(at[0] == 0);
    CHECK(at[1] == 1);
    CHECK(at[3] - at[2] == 1);
    CHECK(at[4] - at[3] == 1);
    CHECK(found.list->sizes_px[2] == 4);
    CHECK(found.list->sizes_px[3] == 6);
    CHECK(found.list->items[at[2]].score == found.list->items[0].score);
  }

  TEST_CASE("no image is no error") {
    const Opened opened;
    Found found;
    REQUIRE(dk_network_detect(opened.network, nullptr, 0, nullptr, &found.list) == DK_OK);
    CHECK(found.list->image_count == 0);
    CHECK(found.list->offsets[0] == 0);
  }

  TEST_CASE("an older caller's shorter structs mean defaults") {
    const Opened opened;
    const dk_image image = from_path(kImage);
    dk_detect_options only_threshold{8, 0.005f, 77.0f, 77};  // 8 bytes: nms and letter_box do not exist for it
    Found low, plain;
    REQUIRE(dk_network_detect(opened.network, &image, 1, &only_threshold, &low.list) == DK_OK);
    REQUIRE(dk_network_detect(opened.network, &image, 1, nullptr, &plain.list) == DK_OK);
    CHECK(low.list->offsets[1] > plain.list->offsets[1]);
  }

  TEST_CASE("a newer caller's longer image structs are stepped over") {
    const Opened opened;
    struct Longer {
      dk_image image;
      int64_t more;
    } images[2] = {{from_path(kImage), -1}, {from_path(kImage), -1}};
    images[0].image.struct_size = images[1].image.struct_size = sizeof(Longer);
    Found found;
    REQUIRE(dk_network_detect(opened.network, &images[0].image, 2, nullptr, &found.list) == DK_OK);
    CHECK(found.list->offsets[2] == 2);
  }

  TEST_CASE("what is wrong is refused by name, and nothing is handed out") {
    const Opened opened;
    Found found;
    const Image8 pixels = decode_image_file(kImage);
    const auto refused = [&](dk_image image, const char* words) {
      CHECK(dk_network_detect(opened.network, &image, 1, nullptr, &found.list) == DK_BAD_INPUT);
      CHECK(found.list == nullptr);
      CHECK_MESSAGE(says(words), dk_last_error());
    };
    dk_image image = from_pixels(pixels);
    image.format = 9;
    refused(image, "dk_image.format");
    image = from_pixels(pixels);
    image.row_bytes = 3 * pixels.w - 1;
    refused(image, "row_bytes");
    image.row_bytes = -300000;
    refused(image, "row_bytes");
    image = from_pixels(pixels);
    image.width_px = 0;
    refused(image, "pixels");
    image.width_px = image.height_px = INT32_MAX;
    refused(image, "pixels");
    image = from_path(kImage);
    image.path = nullptr;
    refused(image, "neither pixels nor path");
    image = from_path(kImage);
    image.struct_size = 0;
    refused(image, "struct_size");
    image.struct_size = 13;
    refused(image, "struct_size");
    image.struct_size = 1U << 30;
    refused(image, "struct_size");
    refused(from_path(kGolden + "/none.png"), "none.png");
    refused(from_path(kCfg), "net.cfg");
    const dk_image good = from_path(kImage);
    for (const float bad : {-0.1f, 1.1f, std::numeric_limits<float>::quiet_NaN()}) {
      const dk_detect_options threshold{sizeof(dk_detect_options), bad, 0.45f, 0}, nms{sizeof(dk_detect_options), 0.25f, bad, 0};
      CHECK(dk_network_detect(opened.network, &good, 1, &threshold, &found.list) == DK_BAD_INPUT);
      CHECK(dk_network_detect(opened.network, &good, 1, &nms, &found.list) == DK_BAD_INPUT);
    }
    CHECK(dk_network_detect(opened.network, &good, -1, nullptr, &found.list) == DK_BAD_INPUT);
    CHECK(dk_network_detect(opened.network, nullptr, 1, nullptr, &found.list) == DK_BAD_INPUT);
    CHECK(dk_network_detect(nullptr, &good, 1, nullptr, &found.list) == DK_BAD_INPUT);
    CHECK(dk_network_detect(opened.network, &good, 1, nullptr, nullptr) == DK_BAD_INPUT);
  }

  TEST_CASE("networks that can't be opened") {
    dk_network* network = reinterpret_cast<dk_network*>(8);
    CHECK(dk_network_open("/nowhere.cfg", kWeights.c_str(), nullptr, &network) == DK_BAD_INPUT);
    CHECK(network == nullptr);
    CHECK(says("/nowhere.cfg"));
    CHECK(dk_network_open(kCfg.c_str(), (kGolden + "/mini_infer.weights").c_str(), nullptr, &network) == DK_BAD_INPUT);
    CHECK(says("mini_infer.weights"));
    CHECK(dk_network_open(nullptr, kWeights.c_str(), nullptr, &network) == DK_BAD_INPUT);
    CHECK(dk_network_open(kCfg.c_str(), nullptr, nullptr, &network) == DK_BAD_INPUT);
    CHECK(dk_network_open(kCfg.c_str(), kWeights.c_str(), nullptr, nullptr) == DK_BAD_INPUT);
    const auto with = [&](dk_network_options options) {
      return dk_network_open(kCfg.c_str(), kWeights.c_str(), &options, &network);
    };
    CHECK(with({sizeof(dk_network_options), -1, 0, 1, nullptr}) == DK_BAD_INPUT);
    CHECK(with({sizeof(dk_network_options), 0, 3, 1, nullptr}) == DK_BAD_INPUT);
    CHECK(with({sizeof(dk_network_options), 0, DK_PRECISION_F16, 1, "cpu"}) == DK_DEVICE);
    CHECK(says("cpu can't compute in f16"));
    CHECK(with({sizeof(dk_network_options), 0, 0, 0, nullptr}) == DK_BAD_INPUT);
    CHECK(with({sizeof(dk_network_options), 0, 0, 1, "toaster"}) == DK_DEVICE);
    CHECK(says("toaster"));
  }

  TEST_CASE("texts, pixels and errors of each thread") {
    char* text = nullptr;
    REQUIRE(dk_devices_json(&text) == DK_OK);
    CHECK(std::string(text).find("\"id\":\"cpu\"") != std::string::npos);
    dk_string_free(text);
    REQUIRE(dk_inspect_json(kCfg.c_str(), kWeights.c_str(), &text) == DK_OK);
    CHECK(std::string(text).front() == '{');
    dk_string_free(text);
    dk_pixels* pixels = nullptr;
    REQUIRE(dk_image_read(kImage.c_str(), 0, &pixels) == DK_OK);
    const Image8 same = decode_image_file(kImage);
    CHECK(pixels->width_px == same.w);
    CHECK(std::memcmp(pixels->pixels, same.pixels.data(), same.pixels.size()) == 0);
    dk_pixels_free(pixels);
    CHECK(dk_image_read(kImage.c_str(), 10, &pixels) == DK_BAD_INPUT);
    CHECK(pixels == nullptr);
    CHECK(dk_inspect_json("/nowhere.cfg", nullptr, &text) == DK_BAD_INPUT);
    CHECK(says("/nowhere.cfg"));
    std::string others = "?";
    std::thread([&] { others = dk_last_error(); }).join();
    CHECK(others.empty());
    CHECK(says("/nowhere.cfg"));
    CHECK(dk_abi_version() == DK_ABI_VERSION);
  }

  TEST_CASE("threads share a network") {
    const Opened opened;
    std::vector<float> scores(4, 0.0f);
    std::vector<std::thread> threads;
    for (size_t i = 0; i < scores.size(); ++i) {
      threads.emplace_back([&, i] {
        const dk_image image = from_path(kImage);
        Found found;
        if (dk_network_detect(opened.network, &image, 1, nullptr, &found.list) == DK_OK) scores[i] = found.list->items[0].score;
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (const float score : scores) CHECK(score == scores[0]);
    CHECK(scores[0] > 0.9f);
  }
}

}  // namespace dk
