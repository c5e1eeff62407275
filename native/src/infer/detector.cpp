#include "infer/detector.h"

#include <algorithm>
#include <utility>

#include "core/status.h"
#include "data/resize.h"

namespace dk {
namespace {

constexpr int kHostBatch = 4, kDeviceBatch = 64;

// Slots of all heads that the detector looks at.
int object_slots(const NetworkDef& def) {
  int slots = 0;
  for (const LayerDef* yolo : def.yolos()) {
    if (yolo->yolo().scalars.classes == def.classes())
      slots += yolo->out.h * yolo->out.w * static_cast<int>(yolo->yolo().mask.size());
  }
  return slots;
}

size_t input_floats(const NetworkDef& def) {
  return static_cast<size_t>(def.net.channels) * static_cast<size_t>(def.net.height) * static_cast<size_t>(def.net.width);
}

// The heads' outputs on the host, where that decodes them.
int64_t output_bytes(const NetworkDef& def, int batch) {
  int64_t floats = 0;
  for (const LayerDef* yolo : def.yolos()) floats += yolo->out.count();
  return static_cast<int64_t>(sizeof(float)) * floats * batch;
}

bool has_channels_for_device(const NetworkDef& def) { return def.net.channels == 1 || def.net.channels == 3; }

NetworkOptions network_options(int batch, DType dtype, bool on_device) {
  NetworkOptions options;
  options.batch = batch, options.dtype = dtype, options.raw_heads = on_device;
  return options;
}

}  // namespace

int useful_batch(const Backend& backend) { return backend.host_memory() ? kHostBatch : kDeviceBatch; }

Detector::Detector(const NetworkDef& def, Backend& backend, int batch, DType dtype)
    : backend_(backend),
      device_(has_channels_for_device(def) ? backend.make_detection(batch, object_slots(def), def.classes()) : nullptr),
      store_(def, backend, {false, false}), network_(def, backend, network_options(batch, dtype, device_ != nullptr)) {
  if (def.last_yolo() == nullptr) bad_input("%s: the network has no [yolo] layer, so it detects nothing", def.name.c_str());
  network_.allocate();
}

int64_t Detector::prepared_bytes(const NetworkDef& def, int batch) {
  return static_cast<int64_t>(sizeof(float) * input_floats(def)) * batch;
}

int64_t Detector::planned_bytes(const NetworkDef& def, Backend& backend, int batch, DType dtype) {
  const int64_t detection = backend.detection_bytes(batch, object_slots(def), def.classes());
  const int64_t outputs = detection > 0 ? 0 : output_bytes(def, batch);
  return ParamStore::bytes(def, backend, {false, false}) + detection + outputs +
         Network(def, backend, network_options(batch, dtype, detection > 0)).memory().total();
}

int64_t Detector::staging_bytes(const NetworkDef& def, const Backend& backend, int batch) {
  const bool on_device = has_channels_for_device(def) && backend.detection_bytes(batch, object_slots(def), def.classes()) > 0;
  // The device takes one picture after the other: as it is, or at the network's size.
  const int64_t floats = static_cast<int64_t>(input_floats(def));
  return on_device ? 2 * backend.staging_bytes(floats) : backend.staging_bytes(batch * floats);
}

PreparedBatch Detector::make_batch() const {
  const size_t slots = static_cast<size_t>(batch());
  PreparedBatch prepared;
  prepared.pixels.resize(slots * input_floats(def()));
  prepared.pictures.resize(slots);
  prepared.widths.resize(slots);
  prepared.heights.resize(slots);
  return prepared;
}

void Detector::set_weights(HostWeights weights) {
  store_.import_host(fold_batch_norm(def(), std::move(weights)));
  network_.weights_changed(store_);
}

int64_t Detector::memory_bytes() const {
  return ParamStore::bytes(def(), backend_, {false, false}) + network_.memory().total() + prepared_bytes(def(), batch()) +
         (device_ ? backend_.detection_bytes(batch(), object_slots(def()), def().classes()) : output_bytes(def(), batch()));
}

void Detector::forward(const float* pixels) {
  network_.forward_infer(store_, pixels);
  if (device_) return backend_.finish();
  outputs_.clear();
  for (const YoloLayer* yolo : network_.yolo_layers()) outputs_.push_back(network_.layer_output(yolo->def().index));
}

Detections Detector::collect(int slot, int image_w, int image_h, const DetectOptions& options) const {
  const NetOptions& net = def().net;
  Detections found(def().classes());
  for (size_t k = 0; k < outputs_.size(); ++k) {
    const LayerDef& yolo = network_.yolo_layers()[k]->def();
    const YoloParams params = yolo.yolo().params();
    if (params.classes != found.classes) continue;  // a head of another task
    const Dims dims = yolo.out;
    const float* out = outputs_[k].data() + static_cast<int64_t>(slot) * dims.count();
    decode_yolo(params, dims.h, dims.w, net.width, net.height, out, options.threshold, &found);
  }
  if (options.letter_box) correct_boxes_letterbox(image_w, image_h, net.width, net.height, &found);
  const YoloParams& last = def().last_yolo()->yolo().scalars;
  if (options.nms > 0) nms(last.nms_kind, last.beta_nms, options.nms, &found);
  return found;
}

void Detector::prepare(const Image8& image, const DetectOptions& options, int slot, PreparedBatch* batch) const {
  const NetOptions& net = def().net;
  const size_t at = static_cast<size_t>(slot);
  batch->widths[at] = image.w;
  batch->heights[at] = image.h;
  // What has more bytes than the network's input is brought to its size here: less to hold and to hand over.
  const bool small = image.pixels.size() <= sizeof(float) * input_floats(def());
  if (device_ && small && (image.channels == net.channels || image.channels == 1)) {
    batch->pictures[at] = image;
    return;
  }
  batch->pictures[at] = Image8{};
  float* out = batch->pixels.data() + at * input_floats(def());
  (options.letter_box ? letterbox_into : resize_into)(image, net.channels, net.width, net.height, out);
}

std::vector<Detections> Detector::detect(const PreparedBatch& batch, int count, const DetectOptions& options) {
  if (device_) return detect_on_device(batch, count, options);
  forward(batch.pixels.data());
  std::vector<Detections> results(static_cast<size_t>(count), Detections(def().classes()));
#pragma omp parallel for schedule(dynamic, 1)
  for (int k = 0; k < count; ++k) {
    const size_t at = static_cast<size_t>(k);
    results[at] = collect(k, batch.widths[at], batch.heights[at], options);
  }
  return results;
}

void Detector::place_pictures(const PreparedBatch& batch, int count, const DetectOptions& options, const Tensor& input) {
  const NetOptions& net = def().net;
  std::vector<PlacedPicture> placed(static_cast<size_t>(count));
  for (size_t k = 0; k < placed.size(); ++k) {
    const Image8& image = batch.pictures[k];
    if (image.pixels.empty()) {
      placed[k].ready = batch.pixels.data() + k * input_floats(def());
      continue;
    }
    LetterboxPlace place{0, 0, net.width, net.height};
    if (options.letter_box) place = letterbox_place(image.w, image.h, net.width, net.height);
    placed[k] = {nullptr, image.pixels.data(), image.w, image.h, image.channels, place.x, place.y, place.w, place.h};
  }
  device_->place_pictures(placed, input);
}

std::vector<Detections> Detector::detect_on_device(const PreparedBatch& batch, int count, const DetectOptions& options) {
  const NetOptions& net = def().net;
  network_.forward_infer_from(store_, [&](const Tensor& input) { place_pictures(batch, count, options, input); });
  ObjectQuery query;
  for (const YoloLayer* yolo : network_.yolo_layers()) {
    const YoloParams params = yolo->def().yolo().params();
    if (params.classes == def().classes()) query.heads.push_back({params, &network_.raw_head(*yolo)});
  }
  query.net_w = net.width, query.net_h = net.height;
  for (size_t k = 0; options.letter_box && k < static_cast<size_t>(count); ++k)
    query.frames.push_back(letterbox_frame(batch.widths[k], batch.heights[k], net.width, net.height));
  const YoloParams& last = def().last_yolo()->yolo().scalars;
  query.threshold = options.threshold, query.nms = options.nms;
  query.nms_kind = last.nms_kind, query.beta_nms = last.beta_nms;
  std::vector<Detections> results;
  for (ObjectList& list : device_->find_objects(query, count)) {
    Detections found(def().classes());
    found.boxes = std::move(list.boxes), found.objectness = std::move(list.objectness), found.probs = std::move(list.probs);
    results.push_back(std::move(found));
  }
  return results;
}

std::vector<Detections> Detector::detect(const std::vector<const Image8*>& images, const DetectOptions& options) {
  if (input_.pixels.empty()) input_ = make_batch();
  std::vector<Detections> results;
  results.reserve(images.size());
  for (size_t first = 0; first < images.size(); first += static_cast<size_t>(batch())) {
    const int count = static_cast<int>(std::min(static_cast<size_t>(batch()), images.size() - first));
    for (int k = 0; k < count; ++k) prepare(*images[first + static_cast<size_t>(k)], options, k, &input_);
    for (Detections& found : detect(input_, count, options)) results.push_back(std::move(found));
  }
  return results;
}

}  // namespace dk
