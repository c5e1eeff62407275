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

// The pictures of one pass, made ready for the network. Slots may be filled by different threads.
struct PreparedBatch {
  std::vector<float> pixels;     // batch x channels x height x width, 0..1
  std::vector<Image8> pictures;  // those that the device brings to the network's size itself; the others are empty
  std::vector<int> widths, heights;
};

// Images of one pass where many are to be looked at: what keeps the device busy.
int useful_batch(const Backend& backend);

class Detector {
 public:
  // batch: images in one pass. Takes no memory for weights yet.
  Detector(const NetworkDef& def, Backend& backend, int batch = 1, DType dtype = DType::f32);

  int batch() const { return network_.batch(); }

  // Weights as the file holds them; batch norm is folded here.
  void set_weights(HostWeights weights);

  // Any number of images (RGB or as many channels as the network has); results in their order.
  std::vector<Detections> detect(const std::vector<const Image8*>& images, const DetectOptions& options);

  // The same in two steps, for whoever prepares one batch while another is computed.
  PreparedBatch make_batch() const;
  static int64_t prepared_bytes(const NetworkDef& def, int batch);

  // All of it, for a detector that does not exist yet.
  static int64_t planned_bytes(const NetworkDef& def, Backend& backend, int batch, DType dtype);
  // What the back end then holds for pixels on their way in (NetworkMemory::staging).
  static int64_t staging_bytes(const NetworkDef& def, const Backend& backend, int batch);
  void prepare(const Image8& image, const DetectOptions& options, int slot, PreparedBatch* batch) const;
  std::vector<Detections> detect(const PreparedBatch& batch, int count, const DetectOptions& options);

  // Bytes on device and host while it exists.
  int64_t memory_bytes() const;
  const NetworkDef& def() const { return network_.def(); }

  // The network alone on prepared input (for measuring).
  void forward(const float* pixels);

 private:
  std::vector<Detections> detect_on_device(const PreparedBatch& batch, int count, const DetectOptions& options);
  void place_pictures(const PreparedBatch& batch, int count, const DetectOptions& options, const Tensor& input);
  Detections collect(int slot, int image_w, int image_h, const DetectOptions& options) const;

  Backend& backend_;
  std::unique_ptr<DeviceDetection> device_;  // null: the host prepares pictures and decodes heads
  ParamStore store_;
  Network network_;
  PreparedBatch input_;                      // of detect(images), from its first call on
  std::vector<std::vector<float>> outputs_;  // of the heads, batch x channels x height x width
};

}  // namespace dk
