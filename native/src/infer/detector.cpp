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
  input_.resize(static_cast<size_t>(batch) * def.net.channels * def.net.height * def.net.width);
}

void Detector::set_weights(HostWeights weights) {
  store_.import_host(fold_batch_norm(def(), std::move(weights)));
  network_.weights_changed(store_);
}

int64_t Detector::memory_bytes() const {
  return ParamStore::bytes(def(), backend_, {false, false}) + network_.memory().total() + static_cast<int64_t>(4 * input_.size());
}

Detections Detector::collect(int slot, int image_w, int image_h, const DetectOptions& options) const {
  const NetOptions& net = def().net;
  Detections found(def().classes());
  for (const YoloLayer* yolo : network_.yolo_layers()) {
    const YoloParams params = yolo->def().yolo().params();
    if (params.classes != found.classes) continue;  // a head of another task
    const Dims dims = yolo->def().out;
    const float* out = yolo->output().data() + static_cast<int64_t>(slot) * dims.count();
    decode_yolo(params, dims.h, dims.w, net.width, net.height, out, options.threshold, &found);
  }
  if (options.letter_box) correct_boxes_letterbox(image_w, image_h, net.width, net.height, &found);
  const YoloParams& last = def().last_yolo()->yolo().scalars;
  if (options.nms > 0) nms(last.nms_kind, last.beta_nms, options.nms, &found);
  return found;
}

std::vector<Detections> Detector::detect(const std::vector<const Image8*>& images, const DetectOptions& options) {
  const NetOptions& net = def().net;
  const size_t per_image = static_cast<size_t>(net.channels) * net.height * net.width;
  const size_t batch = static_cast<size_t>(network_.batch());
  std::vector<Detections> results;
  results.reserve(images.size());
  for (size_t first = 0; first < images.size(); first += batch) {
    const size_t count = std::min(batch, images.size() - first);
    for (size_t k = 0; k < count; ++k) {
      float* out = input_.data() + k * per_image;
      (options.letter_box ? letterbox_into : resize_into)(*images[first + k], net.channels, net.width, net.height, out);
    }
    network_.forward_infer(store_, input_.data());
    for (size_t k = 0; k < count; ++k)
      results.push_back(collect(static_cast<int>(k), images[first + k]->w, images[first + k]->h, options));
  }
  return results;
}

}  // namespace dk
