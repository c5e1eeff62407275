// libFuzzer: the text of a .names file.
#include <cstddef>
#include <cstdint>
#include <string>

#include "core/status.h"
#include "data/names_file.h"
#include "data/text_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const std::string raw(reinterpret_cast<const char*>(bytes), size);
  try {
    for (const std::string& name : dk::parse_names(dk::checked_text(raw, "fuzz.names"), "fuzz.names")) DK_ASSERT(!name.empty());
  } catch (const dk::Error& error) {
    if (error.status() != dk::Status::bad_input) throw;
  }
  return 0;
}
