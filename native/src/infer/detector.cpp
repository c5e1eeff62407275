#include "infer/detector.h"

#include <algorithm>
#include <utility>

#include "core/status.h"
#include "data/resize.h"

namespace dk {

Detector::Detector(const NetworkDef& def, Backend& backend, int batch, DType dtype)
    : backend_(backend), store_(def, backend, {false, false}), network_(def, backend, {false, dtype, batch}) {
  if (def.last_yolo() == nullptr) bad_input("%s: the network has no [yolo] layer, so it detects nothing", def.name.c_str());
  network_.allocate();
}

int64_t Detector::prepared_bytes(const NetworkDef& def, int batch) {
  return static_cast<int64_t>(sizeof(float)) * batch * def.net.channels * def.net.height * def.net.width;
}

PreparedBatch Detector::make_batch() const {
  const NetOptions& net = def().net;
  const size_t slots = static_cast<size_t>(batch());
  PreparedBatch prepared;
  prepared.pixels.resize(slots * static_cast<size_t>(net.channels) * net.height * net.width);
  prepared.widths.resize(slots);
  prepared.heights.resize(slots);
  return prepared;
}

void Detector::set_weights(HostWeights weights) {
  store_.import_host(fold_batch_norm(def(), std::move(weights)));
  network_.weights_changed(store_);
}

int64_t Detector::memory_bytes() const {
  return ParamStore::bytes(def(), backend_, {false, false}) + network_.memory().total() + prepared_bytes(def(), batch());
}

void Detector::forward(const float* pixels) {
  network_.forward_infer(store_, pixels);
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
  float* out = batch->pixels.data() + at * static_cast<size_t>(net.channels) * net.height * net.width;
  (options.letter_box ? letterbox_into : resize_into)(image, net.channels, net.width, net.height, out);
  batch->widths[at] = image.w;
  batch->heights[at] = image.h;
}

std::vector<Detections> Detector::detect(const PreparedBatch& batch, int count, const DetectOptions& options) {
  forward(batch.pixels.data());
  std::vector<Detections> results(static_cast<size_t>(count), Detections(def().classes()));
#pragma omp parallel for schedule(dynamic, 1)
  for (int k = 0; k < count; ++k) {
    const size_t at = static_cast<size_t>(k);
    results[at] = collect(k, batch.widths[at], batch.heights[at], options);
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
