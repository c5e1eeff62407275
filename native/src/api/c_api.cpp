// The C interface (include/darknet_bridge.h): argument checks, conversions between its structs and the engine's types, and
// ownership of what it hands out. Everything runs inside api_guard(), so that no exception leaves the library.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "api/api_guard.h"
#include "backend/registry.h"
#include "core/json_writer.h"
#include "data/image_decode.h"
#include "infer/detector.h"
#include "model/inspect.h"
#include "model/weights_file.h"

struct dk_network {
  std::mutex busy;
  dk::NetworkDef def;
  std::unique_ptr<dk::Backend> backend;
  std::unique_ptr<dk::Detector> detector;  // goes before its back end
  int batch = 1;
  dk::DType dtype = dk::DType::f32;
};

namespace dk {
namespace {

constexpr int64_t kMostImages = 1 << 20;
constexpr int kMostThreads = 1024;
constexpr int kMostBatch = 4096;

// What dk_detections points into lives behind it.
struct OwnedDetections : dk_detections {
  std::vector<int64_t> offset_list;
  std::vector<int32_t> size_list;
  std::vector<dk_detection> item_list;
};

struct OwnedPixels : dk_pixels {
  Image8 image;
};

void need(const void* pointer, const char* name) {
  if (pointer == nullptr) bad_input("%s is NULL", name);
}

char* copy_text(const std::string& text) {
  char* copy = static_cast<char*>(std::malloc(text.size() + 1));
  if (copy == nullptr) throw std::bad_alloc();
  std::memcpy(copy, text.c_str(), text.size() + 1);
  return copy;
}

int32_t checked(const char* name, int32_t value, int32_t low, int32_t high) {
  if (value < low || value > high) bad_input("%s = %d: expected %d to %d", name, value, low, high);
  return value;
}

// Weights of a whole network; start weights (a partial file) are no finished model.
HostWeights read_finished_weights(const NetworkDef& def, const std::string& path) {
  WeightsFile file = read_weights(def, path, uint64_t{1});
  if (file.partial) {
    bad_input("%s: only the first %d of %zu layers: start weights for training, not a finished model", path.c_str(),
              file.layers_loaded, def.layers.size());
  }
  return std::move(file.weights);
}

std::unique_ptr<dk_network> open_network(const char* cfg_path, const char* weights_path, const dk_network_options& options) {
  auto network = std::make_unique<dk_network>();
  const int threads = checked("threads", options.threads, 0, kMostThreads);
  network->batch = checked("batch", options.batch, 1, kMostBatch);
  static_assert(DK_PRECISION_BF16 == static_cast<int>(DType::bf16) && DK_PRECISION_F16 == static_cast<int>(DType::f16));
  network->dtype = static_cast<DType>(checked("precision", options.precision, DK_PRECISION_F32, DK_PRECISION_F16));
  network->def = load_network_def(cfg_path);
  HostWeights weights = read_finished_weights(network->def, weights_path);
  network->backend = make_backend(options.device == nullptr ? "auto" : options.device, threads);
  network->detector = std::make_unique<Detector>(network->def, *network->backend, network->batch, network->dtype);
  network->detector->set_weights(std::move(weights));
  return network;
}

std::string network_info(const dk_network& network) {
  const NetOptions& net = network.def.net;
  JsonWriter json;
  json.begin_object().field("width", net.width).field("height", net.height).field("channels", net.channels);
  json.field("classes", network.def.classes()).field("layers", static_cast<int64_t>(network.def.layers.size()));
  json.field("device", network.backend->name()).field("precision", dtype_name(network.dtype)).field("batch", network.batch);
  json.field("memory_bytes", network.detector->memory_bytes()).field("bflops", network_bflops(network.def));
  json.key("warnings").begin_array();
  for (const std::string& warning : network.def.warnings) json.value(warning);
  json.end_array().end_object();
  return json.text();
}

// One row of pixels in the caller's order as RGB or grey.
void convert_row(const uint8_t* from, int format, int width, uint8_t* to) {
  if (format == DK_PIXELS_RGB8 || format == DK_PIXELS_GRAY8) {
    std::memcpy(to, from, static_cast<size_t>(width) * (format == DK_PIXELS_RGB8 ? 3 : 1));
    return;
  }
  const int step = format == DK_PIXELS_BGRA8 ? 4 : 3;
  for (int x = 0; x < width; ++x, from += step, to += 3) {
    to[0] = from[2];
    to[1] = from[1];
    to[2] = from[0];
  }
}

Image8 take_pixels(const dk_image& given, int64_t index) {
  const int32_t format = checked("dk_image.format", given.format, DK_PIXELS_BGR8, DK_PIXELS_GRAY8);
  const int64_t most = DecodeLimits{}.max_pixels;
  if (given.width_px < 1 || given.height_px < 1 || static_cast<int64_t>(given.width_px) * given.height_px > most) {
    bad_input("image %lld: %d x %d pixels; expected 1 to %lld in all", static_cast<long long>(index), given.width_px,
              given.height_px, static_cast<long long>(most));
  }
  const int64_t bytes = static_cast<int64_t>(given.width_px) * (format == DK_PIXELS_GRAY8   ? 1
                                                                : format == DK_PIXELS_BGRA8 ? 4
                                                                                            : 3);
  if (given.row_bytes < bytes) {
    bad_input("image %lld: row_bytes = %lld, but a row has %lld bytes", static_cast<long long>(index),
              static_cast<long long>(given.row_bytes), static_cast<long long>(bytes));
  }
  Image8 image{given.width_px, given.height_px, format == DK_PIXELS_GRAY8 ? 1 : 3, {}};
  image.pixels.resize(image.row_bytes() * static_cast<size_t>(image.h));
  const uint8_t* from = static_cast<const uint8_t*>(given.pixels);
  for (int y = 0; y < image.h; ++y, from += given.row_bytes) convert_row(from, format, image.w, image.row(y));
  return image;
}

Image8 take_image(const dk_image& image, int64_t index, int channels) {
  if (image.pixels != nullptr) return take_pixels(image, index);
  if (image.path == nullptr) bad_input("image %lld: neither pixels nor path", static_cast<long long>(index));
  return decode_image_file(image.path, {}, channels >= 3 ? 3 : 1);
}

void append_detections(const Detections& found, float threshold, OwnedDetections* out) {
  const size_t first = out->item_list.size();
  for (const Detection& d : list_detections(found, threshold)) {
    out->item_list.push_back({d.class_id, d.confidence, d.box.x, d.box.y, d.box.w, d.box.h});
  }
  std::stable_sort(out->item_list.begin() + static_cast<std::ptrdiff_t>(first), out->item_list.end(),
                   [](const dk_detection& a, const dk_detection& b) { return a.score > b.score; });
  out->offset_list.push_back(static_cast<int64_t>(out->item_list.size()));
}

DetectOptions take_detect_options(const dk_detect_options* given, const NetworkDef& def) {
  const dk_detect_options known = take_struct(given, dk_detect_options{sizeof(dk_detect_options), 0.25f, 0.45f, -1});
  if (!(known.threshold >= 0 && known.threshold <= 1))
    bad_input("threshold = %g: expected 0 to 1", static_cast<double>(known.threshold));
  if (!(known.nms >= 0 && known.nms <= 1)) bad_input("nms = %g: expected 0 to 1", static_cast<double>(known.nms));
  DetectOptions options;
  options.threshold = known.threshold;
  options.nms = known.nms;
  options.letter_box = known.letter_box < 0 ? def.net.letter_box : known.letter_box != 0;
  return options;
}

// Images are decoded and detected one pass at a time, so that a long list needs no more memory than a short one.
std::unique_ptr<OwnedDetections> detect_all(dk_network& network, const dk_image* images, int64_t count,
                                            const DetectOptions& options) {
  auto out = std::make_unique<OwnedDetections>();
  out->offset_list.push_back(0);
  const char* at = reinterpret_cast<const char*>(images);
  const uint32_t step = count > 0 ? images->struct_size : 0;
  if (step % alignof(dk_image) != 0) bad_input("dk_image.struct_size = %u: set it to sizeof(dk_image)", step);
  std::vector<Image8> batch;
  for (int64_t first = 0; first < count; first += network.batch) {
    batch.clear();
    const int64_t end = std::min<int64_t>(count, first + network.batch);
    for (int64_t i = first; i < end; ++i, at += step) {
      const dk_image image = take_struct(reinterpret_cast<const dk_image*>(at), dk_image{});
      batch.push_back(take_image(image, i, network.def.net.channels));
      out->size_list.insert(out->size_list.end(), {batch.back().w, batch.back().h});
    }
    std::vector<const Image8*> pointers;
    for (const Image8& image : batch) pointers.push_back(&image);
    for (const Detections& found : network.detector->detect(pointers, options))
      append_detections(found, options.threshold, out.get());
  }
  out->struct_size = sizeof(dk_detections);
  out->item_size = sizeof(dk_detection);
  out->image_count = count;
  out->offsets = out->offset_list.data();
  out->sizes_px = out->size_list.data();
  out->items = out->item_list.data();
  return out;
}

}  // namespace
}  // namespace dk

const char* dk_version(void) { return DK_VERSION; }

int32_t dk_abi_version(void) { return DK_ABI_VERSION; }

const char* dk_last_error(void) { return dk::last_api_error().c_str(); }

void dk_string_free(char* text) { std::free(text); }

dk_status dk_devices_json(char** out_json) {
  return dk::api_guard([&] {
    dk::need(out_json, "out_json");
    *out_json = nullptr;
    *out_json = dk::copy_text(dk::devices_json());
  });
}

dk_status dk_inspect_json(const char* cfg_path, const char* weights_path, char** out_json) {
  return dk::api_guard([&] {
    dk::need(out_json, "out_json");
    *out_json = nullptr;
    dk::need(cfg_path, "cfg_path");
    *out_json = dk::copy_text(dk::inspect_json(cfg_path, weights_path == nullptr ? "" : weights_path));
  });
}

dk_status dk_network_open(const char* cfg_path, const char* weights_path, const dk_network_options* options,
                          dk_network** out_network) {
  return dk::api_guard([&] {
    dk::need(out_network, "out_network");
    *out_network = nullptr;
    dk::need(cfg_path, "cfg_path");
    dk::need(weights_path, "weights_path");
    const dk_network_options known =
        dk::take_struct(options, dk_network_options{sizeof(dk_network_options), 0, DK_PRECISION_F32, 1, nullptr});
    *out_network = dk::open_network(cfg_path, weights_path, known).release();
  });
}

dk_status dk_network_info_json(dk_network* network, char** out_json) {
  return dk::api_guard([&] {
    dk::need(out_json, "out_json");
    *out_json = nullptr;
    dk::need(network, "network");
    const std::lock_guard<std::mutex> hold(network->busy);
    *out_json = dk::copy_text(dk::network_info(*network));
  });
}

void dk_network_close(dk_network* network) { delete network; }

dk_status dk_network_detect(dk_network* network, const dk_image* images, int64_t image_count, const dk_detect_options* options,
                            dk_detections** out_detections) {
  return dk::api_guard([&] {
    dk::need(out_detections, "out_detections");
    *out_detections = nullptr;
    dk::need(network, "network");
    if (image_count < 0 || image_count > dk::kMostImages)
      dk::bad_input("image_count = %lld", static_cast<long long>(image_count));
    if (image_count > 0) dk::need(images, "images");
    const std::lock_guard<std::mutex> hold(network->busy);
    const dk::DetectOptions known = dk::take_detect_options(options, network->def);
    *out_detections = dk::detect_all(*network, images, image_count, known).release();
  });
}

void dk_detections_free(dk_detections* detections) { delete static_cast<dk::OwnedDetections*>(detections); }

dk_status dk_image_read(const char* path, int64_t max_pixels, dk_pixels** out_pixels) {
  return dk::api_guard([&] {
    dk::need(out_pixels, "out_pixels");
    *out_pixels = nullptr;
    dk::need(path, "path");
    dk::DecodeLimits limits;
    if (max_pixels > 0) limits.max_pixels = max_pixels;
    auto owned = std::make_unique<dk::OwnedPixels>();
    owned->image = dk::decode_image_file(path, limits);
    owned->struct_size = sizeof(dk_pixels);
    owned->format = DK_PIXELS_RGB8;
    owned->width_px = owned->image.w;
    owned->height_px = owned->image.h;
    owned->row_bytes = static_cast<int64_t>(owned->image.row_bytes());
    owned->pixels = owned->image.pixels.data();
    *out_pixels = owned.release();
  });
}

void dk_pixels_free(dk_pixels* pixels) { delete static_cast<dk::OwnedPixels*>(pixels); }
