// What the formats have in common: recognising them, limits, orientation, grey, reduction (see image_decode.h).
#include "data/image_decode.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "core/files.h"
#include "core/status.h"
#include "data/exif.h"
#include "data/image_codecs.h"
#include "data/text_file.h"

namespace dk {
namespace {

struct Signature {
  ImageFormat format;
  size_t at;
  std::string_view mark;
};

using namespace std::string_view_literals;

constexpr Signature kSignatures[] = {
    {ImageFormat::jpeg, 0, "\xFF\xD8\xFF"sv},
    {ImageFormat::png, 0, "\x89PNG\r\n\x1A\n"sv},
    {ImageFormat::gif, 0, "GIF8"sv},
    {ImageFormat::bmp, 0, "BM"sv},
    {ImageFormat::webp, 8, "WEBP"sv},
    {ImageFormat::tiff, 0, "II*\0"sv},
    {ImageFormat::tiff, 0, "MM\0*"sv},
    {ImageFormat::tiff, 0, "II+\0"sv},
    {ImageFormat::avif, 4, "ftypavif"sv},
    {ImageFormat::avif, 4, "ftypavis"sv},
    {ImageFormat::heif, 4, "ftyphei"sv},
    {ImageFormat::heif, 4, "ftypmif1"sv},
    {ImageFormat::heif, 4, "ftyphev"sv},
    {ImageFormat::jpeg2000, 4, "jP  \r\n\x87\n"sv},
    {ImageFormat::jpeg2000, 0, "\xFF\x4F\xFF\x51"sv},
    {ImageFormat::jpegxl, 4, "JXL \r\n\x87\n"sv},
    {ImageFormat::jpegxl, 0, "\xFF\x0A"sv},
    {ImageFormat::psd, 0, "8BPS"sv},
    {ImageFormat::ico, 0, "\0\0\1\0"sv},
    {ImageFormat::svg, 0, "<svg"sv},
};

bool is_pnm(std::string_view text) {
  return text.size() > 2 && text[0] == 'P' && text[1] >= '1' && text[1] <= '7' && text[2] <= ' ';
}

[[noreturn]] void refuse_format(ImageFormat format, std::span<const uint8_t> bytes, const std::string& name) {
  const std::string file = shown(name);
  if (bytes.empty()) bad_input("%s: the file is empty", file.c_str());
  if (format == ImageFormat::unknown) bad_input("%s: not an image this program knows; PNG or JPEG is needed", file.c_str());
  bad_input("%s: this is a %s image; PNG or JPEG is needed (convert it)", file.c_str(), format_name(format));
}

std::span<const uint8_t> as_bytes(const std::string& content) {
  return {reinterpret_cast<const uint8_t*>(content.data()), content.size()};
}

Image8 to_grey(const Image8& rgb) {
  Image8 grey{rgb.w, rgb.h, 1, {}};
  grey.pixels.resize(rgb.pixels.size() / 3);
  const uint8_t* from = rgb.pixels.data();
  // Weights of 1/16384 that add up to one, rounded: grey pictures stay as they are.
  for (uint8_t& to : grey.pixels) {
    to = static_cast<uint8_t>((4899 * from[0] + 9617 * from[1] + 1868 * from[2] + 8192) >> 14);
    from += 3;
  }
  return grey;
}

// The average over factor x factor squares; a remainder at the right and lower edge is averaged over what is there.
Image8 average_squares(const Image8& from, int factor) {
  Image8 to{(from.w + factor - 1) / factor, (from.h + factor - 1) / factor, from.channels, {}};
  to.pixels.resize(to.row_bytes() * static_cast<size_t>(to.h));
  std::vector<uint32_t> sums(to.row_bytes());
  for (int y = 0; y < to.h; ++y) {
    std::fill(sums.begin(), sums.end(), 0u);
    const int rows = std::min(factor, from.h - y * factor);
    for (int row = 0; row < rows; ++row) {
      const uint8_t* source = from.row(y * factor + row);
      for (int x = 0; x < from.w; ++x) {
        uint32_t* sum = sums.data() + static_cast<size_t>(x / factor) * static_cast<size_t>(to.channels);
        for (int c = 0; c < to.channels; ++c) sum[c] += *source++;
      }
    }
    uint8_t* out = to.row(y);
    for (int x = 0; x < to.w; ++x) {
      const uint32_t count = static_cast<uint32_t>(rows * std::min(factor, from.w - x * factor));
      for (int c = 0; c < to.channels; ++c) {
        const size_t i = static_cast<size_t>(x) * static_cast<size_t>(to.channels) + static_cast<size_t>(c);
        out[i] = static_cast<uint8_t>((sums[i] + count / 2) / count);
      }
    }
  }
  return to;
}

}  // namespace

const char* format_name(ImageFormat format) {
  switch (format) {
    case ImageFormat::jpeg: return "JPEG";
    case ImageFormat::png: return "PNG";
    case ImageFormat::gif: return "GIF";
    case ImageFormat::bmp: return "BMP";
    case ImageFormat::webp: return "WebP";
    case ImageFormat::tiff: return "TIFF";
    case ImageFormat::pnm: return "PNM";
    case ImageFormat::heif: return "HEIF";
    case ImageFormat::avif: return "AVIF";
    case ImageFormat::jpeg2000: return "JPEG 2000";
    case ImageFormat::jpegxl: return "JPEG XL";
    case ImageFormat::psd: return "Photoshop";
    case ImageFormat::ico: return "ICO";
    case ImageFormat::svg: return "SVG";
    case ImageFormat::unknown: break;
  }
  return "unknown";
}

ImageFormat detect_format(std::span<const uint8_t> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  for (const Signature& signature : kSignatures) {
    if (text.size() >= signature.at && text.substr(signature.at, signature.mark.size()) == signature.mark)
      return signature.format;
  }
  return is_pnm(text) ? ImageFormat::pnm : ImageFormat::unknown;
}

void check_size(int64_t w, int64_t h, const std::string& name, const DecodeLimits& limits) {
  if (w <= 0 || h <= 0) bad_input("%s: the image is %lld x %lld pixels", shown(name).c_str(), (long long)w, (long long)h);
  if (h > limits.max_pixels / w) {
    bad_input("%s: the image is %lld x %lld pixels; the limit is %.6g million", shown(name).c_str(), (long long)w, (long long)h,
              static_cast<double>(limits.max_pixels) / 1e6);
  }
}

ImageInfo probe_image(std::span<const uint8_t> bytes, const std::string& name, const DecodeLimits& limits) {
  const ImageFormat format = detect_format(bytes);
  if (format != ImageFormat::jpeg && format != ImageFormat::png) refuse_format(format, bytes, name);
  ImageInfo info = format == ImageFormat::jpeg ? read_jpeg_header(bytes, name, limits) : read_png_header(bytes, name, limits);
  if (info.orientation >= 5) std::swap(info.w, info.h);
  return info;
}

ImageInfo probe_image_file(const std::string& path, const DecodeLimits& limits) {
  return probe_image(as_bytes(read_file(path, limits.max_bytes)), path, limits);
}

int reduction_factor(int w, int h, int min_long_side) {
  int factor = 1;
  while (factor < 8 && std::max(w, h) / (factor * 2) >= std::max(min_long_side, 1)) factor *= 2;
  return factor;
}

ReducedImage decode_reduced(std::span<const uint8_t> bytes, const std::string& name, int min_long_side,
                            const DecodeLimits& limits, int channels) {
  DK_ASSERT(channels == 1 || channels == 3);
  const ImageInfo info = probe_image(bytes, name, limits);
  const int factor = reduction_factor(info.w, info.h, min_long_side);
  const bool jpeg = info.format == ImageFormat::jpeg;
  Image8 image = jpeg ? decode_jpeg(bytes, name, limits, factor) : decode_png(bytes, name, limits);
  if (!jpeg && factor > 1) image = average_squares(image, factor);
  if (channels == 1) image = to_grey(image);
  return {apply_orientation(std::move(image), info.orientation), info.w, info.h};
}

Image8 decode_image(std::span<const uint8_t> bytes, const std::string& name, const DecodeLimits& limits, int channels) {
  return decode_reduced(bytes, name, 1 << 30, limits, channels).image;
}

Image8 decode_image_file(const std::string& path, const DecodeLimits& limits, int channels) {
  return decode_image(as_bytes(read_file(path, limits.max_bytes)), path, limits, channels);
}

}  // namespace dk
