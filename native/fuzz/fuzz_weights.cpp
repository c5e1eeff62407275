// A weights file of any bytes is read into a fixed small network or refused with Error(bad_input).
// The bytes stand in a file in memory: one on disk costs more time than everything that is tested.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
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
  static const dk::HostWeights start = dk::initial_weights(def, 1);
  static const int file = memfd_create("weights", MFD_CLOEXEC);
  static const std::string path = "/proc/self/fd/" + std::to_string(file);
  if (file < 0 || ftruncate(file, static_cast<off_t>(size)) != 0 || pwrite(file, data, size, 0) != static_cast<ssize_t>(size))
    std::abort();
  for (int cutoff : {-1, 1, 2}) {
    try {
      dk::read_weights(def, path, start, cutoff);
    } catch (const dk::Error& error) {
      if (error.status() != dk::Status::bad_input) throw;
    }
  }
  return 0;
}
