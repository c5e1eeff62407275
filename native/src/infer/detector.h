// Detection with trained weights: prepares images the way Darknet does, runs the network with batch norm folded in, decodes
// and suppresses. Used by the C ABI, `detector test|map|valid` and the evaluation during training.
#pragma once

#include <memory>
#include <vector>

#include "backend/backend.h"
#include "data/image.h"
#include "infer/detection.h"
#include "model/network.h"

namespace dk {

struct DetectOptions {
  float threshold = 0.25f;
  float nms = 0.45f;        // 0 keeps all
  bool letter_box = false;  // else the image is stretched to the network's input
};

class Detector {
 public:
  // batch: images in one pass. Takes no memory for weights yet.
  Detector(const NetworkDef& def, Backend& backend, int batch = 1, DType dtype = DType::f32);

  // Weights as the file holds them; batch norm is folded here.
  void set_weights(HostWeights weights);

  // Any number of images (RGB or as many channels as the network has); results in their order.
  std::vector<Detections> detect(const std::vector<const Image8*>& images, const DetectOptions& options);

  // Bytes on device and host while it exists.
  int64_t memory_bytes() const;
  const NetworkDef& def() const { return network_.def(); }

  // The network alone on prepared input (for measuring).
  void forward(const float* pixels) { network_.forward_infer(store_, pixels); }

 private:
  Detections collect(int slot, int image_w, int image_h, const DetectOptions& options) const;

  Backend& backend_;
  ParamStore store_;
  Network network_;
  std::vector<float> input_;
};

}  // namespace dk
