// Decoding against OpenCV's pixels (tests/reference/make_decode_golden.py), and damaged files of every kind.
#include "doctest/doctest.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "core/files.h"
#include "data/exif.h"
#include "data/image_decode.h"
#include "data/image_encode.h"
#include "temp_folder.h"

using namespace dk;
using namespace dk_test;
using namespace std::string_literals;

namespace {

std::string golden(const std::string& name) { return std::string(DK_GOLDEN_DIR) + "/decode/" + name; }

std::span<const uint8_t> bytes_of(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

std::string decode_error(const std::string& content, const DecodeLimits& limits = {}) {
  return error_of([&] { decode_image(bytes_of(content), "pic", limits); });
}

Image8 striped(int w, int h, int channels = 3) {
  Image8 image{w, h, channels, {}};
  for (int y = 0; y < h; ++y) {
    for (int x = 0; x < w; ++x) {
      for (int c = 0; c < channels; ++c) image.pixels.push_back(static_cast<uint8_t>(x * 3 + y * 5 + c * 60));
    }
  }
  return image;
}

int largest_difference(const Image8& image, const std::string& expected) {
  REQUIRE(image.pixels.size() == expected.size());
  int most = 0;
  for (size_t i = 0; i < expected.size(); ++i)
    most = std::max(most, std::abs(image.pixels[i] - static_cast<uint8_t>(expected[i])));
  return most;
}

// A PNG that only has a header, for a picture of this size.
std::string png_header(uint32_t w, uint32_t h) {
  std::string bytes = "\x89PNG\r\n\x1A\n\0\0\0\x0DIHDR"s;
  for (const uint32_t number : {w, h}) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(number >> shift);
  }
  bytes += "\x08\x02\0\0\0"s;
  uint32_t crc = 0xFFFFFFFFu;
  for (size_t i = 12; i < bytes.size(); ++i) {
    crc ^= static_cast<uint8_t>(bytes[i]);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (crc & 1 ? 0xEDB88320u : 0u);
  }
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(~crc >> shift);
  return bytes;
}

}  // namespace

TEST_SUITE("image_decode") {
  TEST_CASE("every kind of JPEG and PNG gives OpenCV's pixels, turned upright") {
    std::ifstream sizes(golden("sizes.txt"));
    std::string name;
    int w = 0, h = 0, files = 0;
    while (sizes >> name >> w >> h) {
      CAPTURE(name);
      const Image8 image = decode_image_file(golden(name));
      CHECK(image.w == w);
      CHECK(image.h == h);
      const bool jpeg = name.ends_with(".jpg");
      const int tolerance = name == "cmyk.jpg" ? 3 : jpeg ? 2 : 0;
      CHECK(largest_difference(image, read_file(golden(name + ".rgb"), 1 << 20)) <= tolerance);
      const ImageInfo info = probe_image_file(golden(name));
      CHECK(info.w == w);
      CHECK(info.h == h);
      CHECK(info.format == (jpeg ? ImageFormat::jpeg : ImageFormat::png));
      ++files;
    }
    CHECK(files == 22);
  }

  TEST_CASE("the eight orientations of one picture hold the same pixels") {
    const Image8 upright = striped(5, 3);
    // Where the upright picture's pixel (x, y) lies in the stored picture of each orientation (EXIF 2.3, 4.6.4 A).
    for (int orientation = 1; orientation <= 8; ++orientation) {
      CAPTURE(orientation);
      const bool swapped = orientation >= 5;
      Image8 stored = striped(swapped ? 3 : 5, swapped ? 5 : 3);
      for (int y = 0; y < 3; ++y) {
        for (int x = 0; x < 5; ++x) {
          const int column[] = {0, x, 4 - x, 4 - x, x, y, y, 2 - y, 2 - y}, row[] = {0, y, y, 2 - y, 2 - y, x, 4 - x, 4 - x, x};
          std::copy_n(upright.row(y) + x * 3, 3, stored.row(row[orientation]) + column[orientation] * 3);
        }
      }
      const Image8 turned = apply_orientation(stored, orientation);
      CHECK(turned.w == 5);
      CHECK(turned.pixels == upright.pixels);
    }
  }

  TEST_CASE("turning a large picture four times by 90 degrees gives it back") {
    const Image8 picture = striped(150, 83);
    Image8 turned = picture;
    for (int i = 0; i < 4; ++i) {
      turned = apply_orientation(std::move(turned), 6);
      CHECK(turned.w == (i % 2 == 0 ? 83 : 150));
      CHECK((turned.pixels == picture.pixels) == (i == 3));
    }
    CHECK(apply_orientation(apply_orientation(picture, 6), 8).pixels == picture.pixels);
    CHECK(apply_orientation(apply_orientation(picture, 5), 5).pixels == picture.pixels);
    CHECK(apply_orientation(apply_orientation(picture, 7), 7).pixels == picture.pixels);
  }

  TEST_CASE("damaged EXIF blocks mean upright") {
    const std::string good = "II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0"s;
    CHECK(exif_orientation(bytes_of(good)) == 6);
    CHECK(exif_orientation(bytes_of("MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x08\0\0"s)) == 8);
    for (size_t length = 0; length < 20; ++length) CHECK(exif_orientation(bytes_of(good.substr(0, length))) == 1);
    std::string far = good;
    for (int i = 4; i < 8; ++i) far[static_cast<size_t>(i)] = '\xFF';
    CHECK(exif_orientation(bytes_of(far)) == 1);
    std::string nine = good;
    nine[18] = 9;
    CHECK(exif_orientation(bytes_of(nine)) == 1);
  }

  TEST_CASE("grey is the weighted sum") {
    const Image8 rgb = decode_image_file(golden("rgb.png")), grey = decode_image_file(golden("rgb.png"), {}, 1);
    REQUIRE(grey.pixels.size() * 3 == rgb.pixels.size());
    for (size_t i = 0; i < grey.pixels.size(); i += 7) {
      const double expected = 0.299 * rgb.pixels[3 * i] + 0.587 * rgb.pixels[3 * i + 1] + 0.114 * rgb.pixels[3 * i + 2];
      CHECK(std::abs(grey.pixels[i] - expected) <= 0.51);
    }
  }

  TEST_CASE("other formats are named and the way out is told") {
    const std::pair<std::string, const char*> cases[] = {
        {"GIF89a...", "GIF"},
        {"BMxxxx", "BMP"},
        {"RIFF\x10\0\0\0WEBPVP8 "s, "WebP"},
        {"II*\0aaaa"s, "TIFF"},
        {"P6\n1 1\n", "PNM"},
        {"\0\0\0\x18"
         "ftypheic"s,
         "HEIF"},
        {"\0\0\0\x18"
         "ftypavif"s,
         "AVIF"},
        {"<svg>", "SVG"},
    };
    for (const auto& [content, format] : cases) {
      CHECK(contains(decode_error(content), "pic: this is a "s + format + " image; PNG or JPEG is needed"));
    }
    CHECK(contains(decode_error(""), "empty"));
    CHECK(contains(decode_error("hello"), "not an image"));
  }

  TEST_CASE("a picture cut anywhere is an error, never a half-grey picture") {
    for (const char* name : {"rgb.jpg", "progressive.jpg", "grey.jpg", "cmyk.jpg", "rgb.png", "palette.png", "rgb_16.png"}) {
      CAPTURE(name);
      const std::string whole = read_file(golden(name), 1 << 20);
      const std::string pixels = read_file(golden(name + ".rgb"s), 1 << 20);
      for (size_t length = 0; length + 2 < whole.size(); length += 1 + whole.size() / 97) {
        CAPTURE(length);
        CHECK(decode_error(whole.substr(0, length)) != "");
      }
    }
    // Only the two bytes of the end mark are missing: the picture is whole.
    const std::string whole = read_file(golden("rgb.jpg"), 1 << 20);
    const std::string unended = whole.substr(0, whole.size() - 2);
    CHECK(decode_image(bytes_of(unended), "pic").pixels == decode_image(bytes_of(whole), "pic").pixels);
  }

  TEST_CASE("every damaged byte gives a picture of the right size or an error") {
    for (const char* name : {"progressive.jpg", "exif_6.jpg", "palette.png"}) {
      const std::string whole = read_file(golden(name), 1 << 20);
      int errors = 0;
      for (size_t at = 0; at < whole.size(); at += 3) {
        std::string damaged = whole;
        damaged[at] = static_cast<char>(damaged[at] ^ 0x55);
        const DecodeLimits limits{.max_pixels = 100000};
        try {
          const Image8 image = decode_image(bytes_of(damaged), "pic", limits);
          CHECK(image.pixels.size() == image.row_bytes() * static_cast<size_t>(image.h));
        } catch (const Error& error) {
          CHECK(error.status() == Status::bad_input);
          ++errors;
        }
      }
      CHECK(errors > 0);
    }
  }

  TEST_CASE("the pixel limit is judged from the header") {
    CHECK(contains(decode_error(png_header(20000, 20000)), "20000 x 20000 pixels; the limit is 100 million"));
    CHECK(contains(decode_error(png_header(0x7FFFFFFF, 0x7FFFFFFF)), "limit"));
    CHECK(decode_error(png_header(0, 5)) != "");
    const std::string picture = read_file(golden("rgb.jpg"), 1 << 20);
    CHECK(contains(decode_error(picture, {.max_pixels = 44 * 28 - 1}), "44 x 28"));
    CHECK(decode_error(picture, {.max_pixels = 44 * 28}) == "");
    CHECK(contains(error_of([] { decode_image_file(golden("rgb.jpg"), {.max_bytes = 100}); }), "100"));
  }

  TEST_CASE("decoding stops when asked") {
    std::atomic<bool> cancel{true};
    const DecodeLimits limits{.cancel = &cancel};
    for (const char* name : {"rgb.jpg", "rgb.png"}) {
      CHECK(contains(error_of([&] { decode_image_file(golden(name), limits); }, Status::stopped), "stopped"));
    }
  }

  TEST_CASE("a reduced picture is the average over squares") {
    const Image8 large = striped(160, 96);
    const std::vector<uint8_t> png = encode_png(large), jpeg = encode_jpeg(large, 100);
    for (const std::vector<uint8_t>& file : {png, jpeg}) {
      const ReducedImage reduced = decode_reduced(file, "pic", 40);
      CHECK(reduced.full_w == 160);
      CHECK(reduced.full_h == 96);
      CHECK(reduced.image.w == 40);
      CHECK(reduced.image.h == 24);
      for (int y = 0; y < 24; y += 5) {
        for (int x = 0; x < 40; x += 3) {
          double sum = 0;
          bool wraps = false;
          for (int i = 0; i < 16; ++i) {
            const int value = large.row(y * 4 + i / 4)[(x * 4 + i % 4) * 3];
            wraps = wraps || std::abs(value - large.row(y * 4)[x * 12]) > 60;
            sum += value / 16.0;
          }
          if (!wraps) CHECK(std::abs(reduced.image.row(y)[x * 3] - sum) <= (&file == &png ? 0.51 : 8));
        }
      }
    }
    CHECK(decode_reduced(png, "pic", 81).image.w == 160);
    CHECK(decode_reduced(png, "pic", 80).image.w == 80);
    CHECK(decode_reduced(encode_png(striped(157, 99)), "pic", 1).image.w == 20);
  }
}

TEST_SUITE("image_encode") {
  TEST_CASE("what is written reads back") {
    const TempFolder folder;
    const Image8 image = decode_image_file(golden("rgb.jpg"));
    write_image_file(image, folder.path("a.PNG"));
    CHECK(decode_image_file(folder.path("a.PNG")).pixels == image.pixels);
    write_image_file(image, folder.path("a.jpg"), 95);
    CHECK(probe_image_file(folder.path("a.jpg")).format == ImageFormat::jpeg);
    const Image8 back = decode_image_file(folder.path("a.jpg"));
    double squares = 0;
    for (size_t i = 0; i < image.pixels.size(); ++i) squares += std::pow(image.pixels[i] - back.pixels[i], 2);
    CHECK(std::sqrt(squares / static_cast<double>(image.pixels.size())) < 12);
    CHECK(decode_image(encode_png(striped(9, 4, 1)), "pic", {}, 1).pixels == striped(9, 4, 1).pixels);
    CHECK(error_of([&] { write_image_file(image, folder.path("no/folder.jpg")); }, Status::disk) != "");
  }
}
