// A cfg of any bytes gives a network or Error(bad_input); small networks are also planned, with the reference back end.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/status.h"
#include "model/network.h"
#include "reference/reference_backend.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const dk::NetworkDef def = dk::define_network(dk::parse_cfg({reinterpret_cast<const char*>(data), size}, "fuzz.cfg"));
    dk::network_bflops(def);
    if (def.layers.size() > 50 || static_cast<int64_t>(def.net.width) * def.net.height > 256 * 256 ||
        dk::network_param_count(def) > 100000)
      return 0;
    const auto backend = dk::make_reference_backend();
    for (bool training : {false, true}) dk::Network(def, *backend, {training, dk::DType::f32, 1}).memory();
  } catch (const dk::Error& error) {
    if (error.status() != dk::Status::bad_input && error.status() != dk::Status::memory) throw;
  }
  return 0;
}
