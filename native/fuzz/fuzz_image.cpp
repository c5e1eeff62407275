// libFuzzer: the bytes of a picture: header, whole, grey and reduced.
#include <cstddef>
#include <cstdint>

#include "core/status.h"
#include "data/image_decode.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const dk::DecodeLimits limits{.max_pixels = 1000000, .max_bytes = 1 << 24, .cancel = nullptr};
  try {
    const dk::ImageInfo info = dk::probe_image({bytes, size}, "fuzz", limits);
    DK_ASSERT(info.w > 0 && info.h > 0 && info.orientation >= 1 && info.orientation <= 8);
    const dk::Image8 image = dk::decode_image({bytes, size}, "fuzz", limits);
    DK_ASSERT(image.w == info.w && image.h == info.h && image.pixels.size() == image.row_bytes() * static_cast<size_t>(image.h));
    const dk::ReducedImage reduced = dk::decode_reduced({bytes, size}, "fuzz", 16, limits, 1);
    DK_ASSERT(reduced.image.pixels.size() == reduced.image.row_bytes() * static_cast<size_t>(reduced.image.h));
  } catch (const dk::Error& error) {
    if (error.status() != dk::Status::bad_input) throw;
  }
  return 0;
}
