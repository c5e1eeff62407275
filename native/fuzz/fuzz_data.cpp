// libFuzzer: the text of a .data file.
#include <cstddef>
#include <cstdint>
#include <string>

#include "core/status.h"
#include "data/data_file.h"
#include "data/text_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const std::string raw(reinterpret_cast<const char*>(bytes), size);
  try {
    const dk::DataFile data = dk::parse_data_file(dk::checked_text(raw, "fuzz.data"), "fuzz.data");
    DK_ASSERT(data.classes >= 0 && data.classes <= 10000 && data.saveweights >= 0 && data.savelast >= 0);
  } catch (const dk::Error& error) {
    if (error.status() != dk::Status::bad_input) throw;
  }
  return 0;
}
