// Times the loader: training pictures a second of one core's processor time, at 416 x 416 with the augmentation of
// yolov4-custom.cfg, from 640 x 480 and 12-megapixel JPEGs, decoded each time or from the cache, single pictures and mosaic;
// plans alone, as for a card that holds the images and draws; and the preparation of one picture for detection.
//   dk_bench_loader [SECONDS each]
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "core/files.h"
#include "core/status.h"
#include "data/image_decode.h"
#include "data/image_encode.h"
#include "data/loader.h"
#include "data/resize.h"
#include "made_pictures.h"

namespace dk {
namespace {

// Processor time of the whole process: other users of the machine don't count. One loader thread works, the main thread waits.
double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// A folder with made JPEGs and labels, removed at the end.
class MadeSet {
 public:
  MadeSet(int w, int h, int count) {
    std::string pattern = (std::filesystem::temp_directory_path() / "dk_bench_XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) fail(Status::disk, "no temporary folder");
    folder_ = pattern;
    std::vector<std::string> list;
    for (int i = 0; i < count; ++i) {
      const std::string stem = folder_ + "/p" + std::to_string(i);
      write_image_file(made_picture(w, h, static_cast<uint32_t>(i)), stem + ".jpg", 90);
      write_file_atomically(stem + ".txt", "0 0.5 0.5 0.2 0.2\n0 0.2 0.3 0.1 0.2\n0 0.8 0.6 0.2 0.3\n");
      list.push_back(stem + ".jpg");
    }
    data = open_dataset(list, 1);
  }
  ~MadeSet() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  MadeSet(const MadeSet&) = delete;
  MadeSet& operator=(const MadeSet&) = delete;

  Dataset data;

 private:
  std::string folder_;
};

enum class From { file, cache, card };

LoaderOptions bench_options(bool mosaic, From from) {
  LoaderOptions options;
  AugmentOptions& augment = options.augment;
  augment.jitter = 0.3f;
  augment.resize = 1.5f;
  augment.hue = 0.1f;
  augment.saturation = augment.exposure = 1.5f;
  augment.flip = true;
  augment.mosaic = mosaic;
  options.threads = 1;
  options.slots_per_iteration = options.minibatch = 8;
  options.prefetch = 2;
  options.cache_bytes = from == From::cache ? int64_t{1} << 30 : 0;
  if (from == From::card) {
    options.hold = [](int, const SourceImage&) { return true; };
    options.slots_per_iteration = options.minibatch = 64;
  }
  return options;
}

// Pictures a second once the cache is full.
double rate(const MadeSet& set, bool mosaic, From from, double seconds) {
  Loader loader(set.data, bench_options(mosaic, from));
  loader.start(0);
  for (size_t warm = 0; warm < set.data.images.size() / 8 + 2; ++warm) loader.next();
  const double begin = cpu_seconds();
  int pictures = 0;
  while (cpu_seconds() - begin < seconds) pictures += loader.next()->count;
  return pictures / (cpu_seconds() - begin);
}

void report_loading(const char* name, const MadeSet& set, double seconds) {
  const std::pair<From, const char*> sources[] = {
      {From::file, "decoded each time"}, {From::cache, "from the cache"}, {From::card, "planned only"}};
  for (const auto& [from, words] : sources) {
    const double single = rate(set, false, from, seconds), mosaic = rate(set, true, from, seconds);
    std::printf("%-12s %-18s %8.0f images/s a core, %8.0f with mosaic\n", name, words, single, mosaic);
  }
}

void report_detection(const MadeSet& set, double seconds) {
  const std::string content = read_file(set.data.images[0], int64_t{1} << 30);
  const std::span<const uint8_t> bytes(reinterpret_cast<const uint8_t*>(content.data()), content.size());
  std::vector<float> input(3 * 416 * 416);
  double decoding = 0, resizing = 0;
  int runs = 0;
  while (decoding + resizing < seconds) {
    const double begin = cpu_seconds();
    const Image8 image = decode_image(bytes, "picture");
    const double decoded = cpu_seconds();
    resize_into(image, 3, 416, 416, input.data());
    resizing += cpu_seconds() - decoded;
    decoding += decoded - begin;
    ++runs;
  }
  std::printf("detection: decode 640x480 %.2f ms, resize to 416x416 %.2f ms\n", decoding / runs * 1e3, resizing / runs * 1e3);
}

void run(double seconds) {
  const MadeSet small(640, 480, 24), large(4000, 3000, 4);
  report_loading("640x480", small, seconds);
  report_loading("4000x3000", large, seconds);
  report_detection(small, seconds);
}

}  // namespace
}  // namespace dk

int main(int argc, char** argv) {
  try {
    dk::run(argc > 1 ? std::atof(argv[1]) : 2.0);
  } catch (const dk::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return static_cast<int>(error.status());
  }
  return 0;
}
