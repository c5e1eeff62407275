// Reading and applying the EXIF orientation (see exif.h). Layout of the block: TIFF 6.0, tag 0x0112.
#include "data/exif.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace dk {
namespace {

// Reads numbers in the block's byte order; everything outside the block reads as 0.
class TiffReader {
 public:
  explicit TiffReader(std::span<const uint8_t> bytes) : bytes_(bytes), big_(bytes.size() > 1 && bytes[0] == 'M') {}

  bool is_tiff() const {
    const bool order = bytes_.size() >= 8 && bytes_[0] == bytes_[1] && (bytes_[0] == 'I' || bytes_[0] == 'M');
    return order && number(2, 2) == 42;
  }

  uint32_t number(uint64_t at, int length) const {
    if (at + static_cast<uint64_t>(length) > bytes_.size()) return 0;
    uint32_t value = 0;
    for (int i = 0; i < length; ++i) {
      const int from = big_ ? i : length - 1 - i;
      value = value << 8 | bytes_[static_cast<size_t>(at) + static_cast<size_t>(from)];
    }
    return value;
  }

 private:
  std::span<const uint8_t> bytes_;
  bool big_;
};

template <int kChannels>
void turn(const Image8& from, Image8& to, int orientation) {
  const bool swapped = orientation >= 5;
  const bool mirror_x = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool mirror_y = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  const auto turn_tile = [&](int left, int top, int right, int bottom) {
    for (int y = top; y < bottom; ++y) {
      uint8_t* out = to.row(y) + static_cast<size_t>(left) * kChannels;
      for (int x = left; x < right; ++x, out += kChannels) {
        const int u = swapped ? y : x, v = swapped ? x : y;
        const int source_x = mirror_x ? from.w - 1 - u : u, source_y = mirror_y ? from.h - 1 - v : v;
        std::memcpy(out, from.row(source_y) + static_cast<size_t>(source_x) * kChannels, kChannels);
      }
    }
  };
  // In tiles, because a row of one is a column of the other: both must stay in the processor's cache.
  constexpr int kTile = 64;
  for (int y = 0; y < to.h; y += kTile) {
    for (int x = 0; x < to.w; x += kTile) turn_tile(x, y, std::min(x + kTile, to.w), std::min(y + kTile, to.h));
  }
}

}  // namespace

int exif_orientation(std::span<const uint8_t> tiff) {
  const TiffReader reader(tiff);
  if (!reader.is_tiff()) return 1;
  const uint64_t directory = reader.number(4, 4);
  const uint32_t entries = std::min<uint32_t>(reader.number(directory, 2), 1024);
  for (uint32_t i = 0; i < entries; ++i) {
    const uint64_t entry = directory + 2 + uint64_t{12} * i;
    constexpr uint32_t kOrientation = 0x0112, kShort = 3;
    if (reader.number(entry, 2) != kOrientation) continue;
    const uint32_t value = reader.number(entry + 2, 2) == kShort ? reader.number(entry + 8, 2) : 1;
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

Image8 apply_orientation(Image8 image, int orientation) {
  if (orientation < 2 || orientation > 8) return image;
  Image8 turned;
  turned.w = orientation >= 5 ? image.h : image.w;
  turned.h = orientation >= 5 ? image.w : image.h;
  turned.channels = image.channels;
  turned.pixels.resize(image.pixels.size());
  if (image.channels == 3) turn<3>(image, turned, orientation);
  if (image.channels == 1) turn<1>(image, turned, orientation);
  return turned;
}

}  // namespace dk
