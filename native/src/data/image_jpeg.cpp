// JPEG by libjpeg(-turbo). Errors leave the library by longjmp, so every function that calls it under setjmp holds plain data
// only; buffers belong to the caller. Damage is an error although libjpeg goes on with grey: what is missing can't be trained on.
#include <cstdio>
// jpeglib.h needs FILE and size_t declared before it; jerror.h shows all its codes only after it.
#include <jpeglib.h>

#include <jerror.h>

#include <csetjmp>
#include <cstring>

#include "core/status.h"
#include "data/exif.h"
#include "data/image_codecs.h"
#include "data/text_file.h"

namespace dk {
namespace {

// A progressive file may repeat scans over a large picture for minutes; cameras and editors write about ten.
constexpr int kMostScans = 100;
constexpr int64_t kMostScannedPixels = 2'000'000'000;
constexpr int64_t kMostDecoderBytes = 700 << 20;

struct Session {
  jpeg_decompress_struct decoder;
  jpeg_error_mgr errors;
  jpeg_progress_mgr progress;
  std::jmp_buf escape;
  char message[JMSG_LENGTH_MAX];
  const std::atomic<bool>* cancel;
  bool cancelled;
  bool cut_short;  // libjpeg made up the end of the file
};

Session* session_of(j_common_ptr common) { return static_cast<Session*>(common->client_data); }

[[noreturn]] void leave(j_common_ptr common) {
  Session* session = session_of(common);
  (*common->err->format_message)(common, session->message);
  std::longjmp(session->escape, 1);
}

[[noreturn]] void leave_with(Session* session, const char* message) {
  std::snprintf(session->message, sizeof session->message, "%s", message);
  std::longjmp(session->escape, 1);
}

void on_message(j_common_ptr common, int level) {
  if (level >= 0) return;  // a trace, not a warning
  switch (common->err->msg_code) {
    case JWRN_JPEG_EOF: session_of(common)->cut_short = true; return;
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
    case JWRN_MUST_RESYNC: leave(common);
    default: return;  // oddities that leave the picture whole: stray bytes, an odd Adobe mark
  }
}

void on_output(j_common_ptr) {}

void on_progress(j_common_ptr common) {
  Session* session = session_of(common);
  if (session->cancel != nullptr && session->cancel->load(std::memory_order_relaxed)) {
    session->cancelled = true;
    leave_with(session, "cancelled");
  }
  const jpeg_decompress_struct& decoder = session->decoder;
  const int64_t pixels = static_cast<int64_t>(decoder.image_width) * decoder.image_height;
  const int scans = decoder.input_scan_number;
  if (scans > kMostScans || (scans > 10 && scans * pixels > kMostScannedPixels))
    leave_with(session, "too many progressive scans");
}

// A handle that frees what libjpeg allocated.
class JpegFile {
 public:
  JpegFile(std::span<const uint8_t> bytes, const std::string& name, const std::atomic<bool>* cancel)
      : bytes_(bytes), name_(name) {
    std::memset(&session_, 0, sizeof session_);
    session_.cancel = cancel;
    session_.decoder.err = jpeg_std_error(&session_.errors);
    session_.errors.error_exit = leave;
    session_.errors.emit_message = on_message;
    session_.errors.output_message = on_output;
    session_.progress.progress_monitor = on_progress;
    session_.decoder.client_data = &session_;
  }
  ~JpegFile() { jpeg_destroy_decompress(&session_.decoder); }
  JpegFile(const JpegFile&) = delete;
  JpegFile& operator=(const JpegFile&) = delete;

  ImageInfo header() {
    if (!open_header()) complain();
    ImageInfo info;
    info.format = ImageFormat::jpeg;
    info.w = static_cast<int>(session_.decoder.image_width);
    info.h = static_cast<int>(session_.decoder.image_height);
    info.orientation = orientation();
    return info;
  }

  Image8 pixels(int reduce, const DecodeLimits& limits) {
    if (!open_header() || !open_output(reduce)) complain();
    Image8 image;
    const jpeg_decompress_struct& decoder = session_.decoder;
    check_size(decoder.output_width, decoder.output_height, name_, limits);
    image.w = static_cast<int>(decoder.output_width);
    image.h = static_cast<int>(decoder.output_height);
    image.pixels.resize(image.row_bytes() * static_cast<size_t>(image.h));
    const bool four = decoder.output_components == 4;
    std::vector<uint8_t> ink(four ? static_cast<size_t>(image.w) * 4 : 0);
    if (!read_rows(image.pixels.data(), image.row_bytes(), four ? ink.data() : nullptr)) complain();
    return image;
  }

 private:
  bool open_header() {
    if (setjmp(session_.escape) != 0) return false;
    jpeg_create_decompress(&session_.decoder);
    session_.decoder.client_data = &session_;
    session_.decoder.progress = &session_.progress;
    session_.decoder.mem->max_memory_to_use = kMostDecoderBytes;
    jpeg_mem_src(&session_.decoder, bytes_.data(), static_cast<unsigned long>(bytes_.size()));
    jpeg_save_markers(&session_.decoder, JPEG_APP0 + 1, 0xFFFF);
    jpeg_read_header(&session_.decoder, TRUE);
    return true;
  }

  bool open_output(int reduce) {
    if (setjmp(session_.escape) != 0) return false;
    jpeg_decompress_struct& decoder = session_.decoder;
    const bool ink = decoder.jpeg_color_space == JCS_CMYK || decoder.jpeg_color_space == JCS_YCCK;
    decoder.out_color_space = ink ? JCS_CMYK : JCS_RGB;
    decoder.scale_num = 1;
    decoder.scale_denom = static_cast<unsigned>(reduce);
    jpeg_start_decompress(&decoder);
    return true;
  }

  // ink: a row of CMYK, or null when the decoder gives RGB.
  bool read_rows(uint8_t* out, size_t row_bytes, uint8_t* ink) {
    if (setjmp(session_.escape) != 0) return false;
    jpeg_decompress_struct& decoder = session_.decoder;
    while (decoder.output_scanline < decoder.output_height) {
      uint8_t* const rgb = out + decoder.output_scanline * row_bytes;
      JSAMPROW row = ink != nullptr ? ink : rgb;
      jpeg_read_scanlines(&decoder, &row, 1);
      if (ink != nullptr) ink_to_rgb(ink, rgb, decoder.output_width);
    }
    // Only the mark of the end is missing: with a single scan every row came out of real data (else a warning above had left).
    if (session_.cut_short && jpeg_has_multiple_scans(&decoder)) leave_with(&session_, "the file ends too early");
    jpeg_finish_decompress(&decoder);
    return true;
  }

  // Adobe's files hold the inks inverted, as all CMYK JPEGs in use do.
  static void ink_to_rgb(const uint8_t* ink, uint8_t* rgb, unsigned width) {
    for (unsigned x = 0; x < width; ++x, ink += 4, rgb += 3) {
      for (int c = 0; c < 3; ++c) rgb[c] = static_cast<uint8_t>((ink[c] * ink[3] + 127) / 255);
    }
  }

  int orientation() const {
    for (jpeg_saved_marker_ptr marker = session_.decoder.marker_list; marker != nullptr; marker = marker->next) {
      constexpr size_t kMark = 6;
      if (marker->data_length < kMark || std::memcmp(marker->data, "Exif\0\0", kMark) != 0) continue;
      return exif_orientation({marker->data + kMark, marker->data_length - kMark});
    }
    return 1;
  }

  [[noreturn]] void complain() {
    if (session_.cancelled) fail(Status::stopped, "%s: decoding was stopped", shown(name_).c_str());
    const char* const cut = session_.cut_short ? " (the file ends too early)" : "";
    bad_input("%s: damaged JPEG: %s%s", shown(name_).c_str(), session_.message, cut);
  }

  std::span<const uint8_t> bytes_;
  const std::string& name_;
  Session session_;
};

}  // namespace

ImageInfo read_jpeg_header(std::span<const uint8_t> bytes, const std::string& name, const DecodeLimits& limits) {
  const ImageInfo info = JpegFile(bytes, name, nullptr).header();
  check_size(info.w, info.h, name, limits);
  return info;
}

Image8 decode_jpeg(std::span<const uint8_t> bytes, const std::string& name, const DecodeLimits& limits, int reduce) {
  return JpegFile(bytes, name, limits.cancel).pixels(reduce, limits);
}

}  // namespace dk
