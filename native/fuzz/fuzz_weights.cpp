// A weights file of any bytes is read into a fixed small network or refused with Error(bad_input).
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>

#include "core/status.h"
#include "model/weights_file.h"

namespace {

const char kCfg[] =
    "[net]\nwidth=16\nheight=16\nchannels=1\n[convolutional]\nbatch_normalize=1\nfilters=2\nsize=3\npad=1\nactivation=leaky\n"
    "[convolutional]\nfilters=6\nactivation=linear\n[yolo]\nclasses=1\nnum=1\nanchors=4,4\nmask=0\n";

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const dk::NetworkDef def = dk::define_network(dk::parse_cfg(kCfg, "fuzz.cfg"));
  static const std::string path = "/tmp/dk_fuzz_weights." + std::to_string(getpid());
  FILE* file = std::fopen(path.c_str(), "wb");
  if (file == nullptr) return 0;
  std::fwrite(data, 1, size, file);
  std::fclose(file);
  const dk::HostWeights start = dk::initial_weights(def, 1);
  for (int cutoff : {-1, 1, 2}) {
    try {
      dk::read_weights(def, path, start, cutoff);
    } catch (const dk::Error& error) {
      if (error.status() != dk::Status::bad_input) throw;
    }
  }
  return 0;
}
