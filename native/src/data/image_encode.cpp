// Writing JPEG and PNG (see image_encode.h). The libraries' errors leave by longjmp: functions under setjmp hold plain data only.
#include "data/image_encode.h"

#include <cstdio>
// jpeglib.h needs FILE and size_t declared before it.
#include <jpeglib.h>
#include <png.h>

#include <csetjmp>
#include <cstdlib>
#include <cstring>

#include "core/files.h"
#include "core/status.h"

namespace dk {
namespace {

struct JpegSession {
  jpeg_compress_struct encoder;
  jpeg_error_mgr errors;
  std::jmp_buf escape;
  char message[JMSG_LENGTH_MAX];
  unsigned char* bytes;
  unsigned long size;
};

[[noreturn]] void leave_jpeg(j_common_ptr common) {
  JpegSession* session = static_cast<JpegSession*>(common->client_data);
  (*common->err->format_message)(common, session->message);
  std::longjmp(session->escape, 1);
}

bool write_jpeg(JpegSession* session, const Image8* image, int quality) {
  if (setjmp(session->escape) != 0) return false;
  jpeg_compress_struct& encoder = session->encoder;
  encoder.err = jpeg_std_error(&session->errors);
  session->errors.error_exit = leave_jpeg;
  encoder.client_data = session;
  jpeg_create_compress(&encoder);
  encoder.client_data = session;
  jpeg_mem_dest(&encoder, &session->bytes, &session->size);
  encoder.image_width = static_cast<JDIMENSION>(image->w);
  encoder.image_height = static_cast<JDIMENSION>(image->h);
  encoder.input_components = image->channels;
  encoder.in_color_space = image->channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_set_defaults(&encoder);
  jpeg_set_quality(&encoder, quality, TRUE);
  jpeg_start_compress(&encoder, TRUE);
  while (encoder.next_scanline < encoder.image_height) {
    JSAMPROW row = const_cast<JSAMPROW>(image->row(static_cast<int>(encoder.next_scanline)));
    jpeg_write_scanlines(&encoder, &row, 1);
  }
  jpeg_finish_compress(&encoder);
  return true;
}

void check_image(const Image8& image) {
  DK_ASSERT(image.channels == 1 || image.channels == 3);
  DK_ASSERT(image.w > 0 && image.h > 0 && image.w <= 65500 && image.h <= 65500);
  DK_ASSERT(image.pixels.size() == image.row_bytes() * static_cast<size_t>(image.h));
}

}  // namespace

std::vector<uint8_t> encode_jpeg(const Image8& image, int quality) {
  check_image(image);
  JpegSession session;
  std::memset(&session, 0, sizeof session);
  const bool written = write_jpeg(&session, &image, quality);
  std::vector<uint8_t> bytes;
  if (written) bytes.assign(session.bytes, session.bytes + session.size);
  jpeg_destroy_compress(&session.encoder);
  std::free(session.bytes);
  if (!written) fail(Status::internal, "writing a JPEG of %d x %d failed: %s", image.w, image.h, session.message);
  return bytes;
}

std::vector<uint8_t> encode_png(const Image8& image) {
  check_image(image);
  png_image header;
  std::memset(&header, 0, sizeof header);
  header.version = PNG_IMAGE_VERSION;
  header.width = static_cast<png_uint_32>(image.w);
  header.height = static_cast<png_uint_32>(image.h);
  header.format = image.channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(header);
  std::vector<uint8_t> bytes(size);
  if (png_image_write_to_memory(&header, bytes.data(), &size, 0, image.pixels.data(), 0, nullptr) == 0) {
    fail(Status::internal, "writing a PNG of %d x %d failed: %s", image.w, image.h, header.message);
  }
  bytes.resize(size);
  return bytes;
}

void write_image_file(const Image8& image, const std::string& path, int jpeg_quality) {
  std::string ending = path.size() >= 4 ? path.substr(path.size() - 4) : "";
  for (char& letter : ending) letter = letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter + 32) : letter;
  const std::vector<uint8_t> bytes = ending == ".png" ? encode_png(image) : encode_jpeg(image, jpeg_quality);
  write_file_atomically(path, std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

}  // namespace dk
