// Pictures from files: JPEG and PNG, nothing else, into upright 8-bit RGB or grey. The header is judged before anything is
// allocated; damaged or cut-off data is an error, never a half-grey picture. Other formats are recognised and named, so that the
// message can say what to do.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <string>

#include "data/image.h"

namespace dk {

enum class ImageFormat { unknown, jpeg, png, gif, bmp, webp, tiff, pnm, heif, avif, jpeg2000, jpegxl, psd, ico, svg };

const char* format_name(ImageFormat format);
ImageFormat detect_format(std::span<const uint8_t> bytes);

struct DecodeLimits {
  int64_t max_pixels = 100'000'000;
  int64_t max_bytes = int64_t{1} << 30;       // of the file
  const std::atomic<bool>* cancel = nullptr;  // set to give up: Error(stopped)
};

// What the header says. w and h are those of the upright picture.
struct ImageInfo {
  ImageFormat format = ImageFormat::unknown;
  int w = 0, h = 0;
  int orientation = 1;  // EXIF, already taken account of in w and h
};

// All throw Error(bad_input) with `name` and the reason in the message.
ImageInfo probe_image(std::span<const uint8_t> bytes, const std::string& name, const DecodeLimits& limits = {});
ImageInfo probe_image_file(const std::string& path, const DecodeLimits& limits = {});

// channels: 3 = RGB, 1 = grey (0.299 R + 0.587 G + 0.114 B). Alpha is dropped, palettes are expanded, 16 bits scaled to 8.
Image8 decode_image(std::span<const uint8_t> bytes, const std::string& name, const DecodeLimits& limits = {}, int channels = 3);
Image8 decode_image_file(const std::string& path, const DecodeLimits& limits = {}, int channels = 3);

// For training from large pictures: the same picture made smaller by an average over squares of 1, 2, 4 or 8 pixels, the largest
// that leaves the longer side >= min_long_side. (JPEG does this while decoding.) full is the size before.
struct ReducedImage {
  Image8 image;
  int full_w = 0, full_h = 0;
};
// By what whole factor (1, 2, 4, 8) decode_reduced makes a picture of this size smaller.
int reduction_factor(int w, int h, int min_long_side);
ReducedImage decode_reduced(std::span<const uint8_t> bytes, const std::string& name, int min_long_side,
                            const DecodeLimits& limits = {}, int channels = 3);

}  // namespace dk
