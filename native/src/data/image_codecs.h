// The two decoders behind image_decode.h; each turns its library's errors into Error(bad_input).
#pragma once

#include <span>
#include <string>

#include "data/image_decode.h"

namespace dk {

// Header only, judged by the limits; w and h as stored.
ImageInfo read_jpeg_header(std::span<const uint8_t> bytes, const std::string& name, const DecodeLimits& limits);
ImageInfo read_png_header(std::span<const uint8_t> bytes, const std::string& name, const DecodeLimits& limits);

// RGB as stored, not turned. `reduce` 1, 2, 4, 8: the decoder averages squares of that size while decoding.
Image8 decode_jpeg(std::span<const uint8_t> bytes, const std::string& name, const DecodeLimits& limits, int reduce);
Image8 decode_png(std::span<const uint8_t> bytes, const std::string& name, const DecodeLimits& limits);

// Fails when the picture is empty or over the limit.
void check_size(int64_t w, int64_t h, const std::string& name, const DecodeLimits& limits);

}  // namespace dk
