// libFuzzer: the text of a label file, as far as boxes and issues.
#include <cstddef>
#include <cstdint>
#include <string>

#include "core/status.h"
#include "data/labels.h"
#include "data/text_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const std::string raw(reinterpret_cast<const char*>(bytes), size);
  try {
    const dk::Labels labels = dk::parse_labels(dk::checked_text(raw, "fuzz.txt"), "fuzz.txt", 80);
    for (const dk::LabelBox& box : labels.boxes) {
      // What the augmentation relies on: a class that exists, a box that is finite and of a size above 0.
      DK_ASSERT(box.class_id >= 0 && box.class_id < 80 && box.w > 0 && box.h > 0 && box.w <= 2 && box.h <= 2);
    }
    DK_ASSERT(labels.bad_lines >= static_cast<int>(labels.issues.size()));
  } catch (const dk::Error& error) {
    if (error.status() != dk::Status::bad_input) throw;
  }
  return 0;
}
