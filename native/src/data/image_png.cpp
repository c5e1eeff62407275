// PNG by libpng. Its errors leave by longjmp, so the functions that call it under setjmp hold plain data only; buffers belong to
// the caller. A wrong checksum or a missing end is an error.
#include <png.h>

#include <csetjmp>
#include <cstring>
#include <vector>

#include "core/status.h"
#include "data/exif.h"
#include "data/image_codecs.h"
#include "data/text_file.h"

namespace dk {
namespace {

class PngFile {
 public:
  PngFile(std::span<const uint8_t> bytes, const std::string& name, const std::atomic<bool>* cancel)
      : bytes_(bytes), name_(name), cancel_(cancel) {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, on_error, on_warning);
    info_ = png_ != nullptr ? png_create_info_struct(png_) : nullptr;
    if (info_ == nullptr) {
      png_destroy_read_struct(&png_, nullptr, nullptr);
      fail(Status::memory, "%s: no memory for the PNG decoder", shown(name).c_str());
    }
  }
  ~PngFile() { png_destroy_read_struct(&png_, &info_, nullptr); }
  PngFile(const PngFile&) = delete;
  PngFile& operator=(const PngFile&) = delete;

  ImageInfo header() {
    if (!open_header()) complain();
    ImageInfo info;
    info.format = ImageFormat::png;
    info.w = static_cast<int>(png_get_image_width(png_, info_));
    info.h = static_cast<int>(png_get_image_height(png_, info_));
    info.orientation = orientation_;
    return info;
  }

  Image8 pixels(const DecodeLimits& limits) {
    if (!open_header() || !open_output()) complain();
    Image8 image;
    check_size(png_get_image_width(png_, info_), png_get_image_height(png_, info_), name_, limits);
    image.w = static_cast<int>(png_get_image_width(png_, info_));
    image.h = static_cast<int>(png_get_image_height(png_, info_));
    DK_ASSERT(png_get_rowbytes(png_, info_) == image.row_bytes());
    image.pixels.resize(image.row_bytes() * static_cast<size_t>(image.h));
    if (!read_rows(image.pixels.data(), image.row_bytes(), image.h)) complain();
    return image;
  }

 private:
  static PngFile* file_of(png_structp png) { return static_cast<PngFile*>(png_get_error_ptr(png)); }

  [[noreturn]] static void on_error(png_structp png, png_const_charp message) {
    std::strncpy(file_of(png)->message_, message, sizeof file_of(png)->message_ - 1);
    png_longjmp(png, 1);
  }

  static void on_warning(png_structp, png_const_charp) {}

  static void on_read(png_structp png, png_bytep out, size_t length) {
    PngFile* file = static_cast<PngFile*>(png_get_io_ptr(png));
    if (length > file->bytes_.size() - file->at_) png_error(png, "the file ends too early");
    std::memcpy(out, file->bytes_.data() + file->at_, length);
    file->at_ += length;
  }

  static void on_row(png_structp png, png_uint_32, int) {
    PngFile* file = file_of(png);
    if (file->cancel_ == nullptr || !file->cancel_->load(std::memory_order_relaxed)) return;
    file->cancelled_ = true;
    png_error(png, "cancelled");
  }

  bool open_header() {
    if (setjmp(png_jmpbuf(png_)) != 0) return false;
    png_set_read_fn(png_, this, on_read);
    png_set_read_status_fn(png_, on_row);
    png_set_user_limits(png_, 0x7FFFFFFF, 0x7FFFFFFF);  // check_size has the say, with a better message
    png_set_chunk_malloc_max(png_, 8 << 20);
    png_set_chunk_cache_max(png_, 128);
    png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, nullptr, 0);
    png_read_info(png_, info_);
#ifdef PNG_eXIf_SUPPORTED
    png_bytep exif = nullptr;
    png_uint_32 length = 0;
    if (png_get_eXIf_1(png_, info_, &length, &exif) != 0) orientation_ = exif_orientation({exif, length});
#endif
    return true;
  }

  // Everything becomes 8-bit RGB: palettes and fewer bits expanded, 16 bits scaled with rounding, alpha dropped.
  bool open_output() {
    if (setjmp(png_jmpbuf(png_)) != 0) return false;
    png_set_expand(png_);
    png_set_scale_16(png_);
    png_set_strip_alpha(png_);
    png_set_gray_to_rgb(png_);
    png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
    return true;
  }

  bool read_rows(uint8_t* out, size_t row_bytes, int height) {
    if (setjmp(png_jmpbuf(png_)) != 0) return false;
    const int passes = png_get_interlace_type(png_, info_) == PNG_INTERLACE_NONE ? 1 : PNG_INTERLACE_ADAM7_PASSES;
    for (int pass = 0; pass < passes; ++pass) {
      for (int y = 0; y < height; ++y) png_read_row(png_, out + static_cast<size_t>(y) * row_bytes, nullptr);
    }
    png_read_end(png_, nullptr);
    return true;
  }

  [[noreturn]] void complain() {
    if (cancelled_) fail(Status::stopped, "%s: decoding was stopped", shown(name_).c_str());
    bad_input("%s: damaged PNG: %s", shown(name_).c_str(), message_);
  }

  std::span<const uint8_t> bytes_;
  const std::string& name_;
  const std::atomic<bool>* cancel_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  size_t at_ = 0;
  int orientation_ = 1;
  bool cancelled_ = false;
  char message_[200] = {};
};

}  // namespace

ImageInfo read_png_header(std::span<const uint8_t> bytes, const std::string& name, const DecodeLimits& limits) {
  // The size stands at a fixed place; libpng looks at it only together with everything before the pixels.
  constexpr size_t kWidthAt = 16, kHeightAt = 20, kSizeEnd = 24;
  if (bytes.size() >= kSizeEnd) check_size(png_get_uint_32(&bytes[kWidthAt]), png_get_uint_32(&bytes[kHeightAt]), name, limits);
  return PngFile(bytes, name, nullptr).header();
}

Image8 decode_png(std::span<const uint8_t> bytes, const std::string& name, const DecodeLimits& limits) {
  return PngFile(bytes, name, limits.cancel).pixels(limits);
}

}  // namespace dk
