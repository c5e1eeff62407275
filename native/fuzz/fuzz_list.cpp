// libFuzzer: the text of an image list, and the label path of each of its images.
#include <cstddef>
#include <cstdint>
#include <string>

#include "core/status.h"
#include "data/image_list.h"
#include "data/labels.h"
#include "data/text_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const std::string raw(reinterpret_cast<const char*>(bytes), size);
  try {
    for (const std::string& image : dk::parse_image_list(dk::checked_text(raw, "fuzz.txt"), "fuzz.txt")) {
      DK_ASSERT(dk::label_path_for(image) != image);
    }
  } catch (const dk::Error& error) {
    if (error.status() != dk::Status::bad_input) throw;
  }
  return 0;
}
