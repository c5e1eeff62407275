// Training pictures drawn on the device: decoded images kept in its memory, or in host memory it can read, and augmented straight
// into a network's input. What is drawn was planned on the host (math/picture_plan.h). Drawing runs one mini-batch ahead, on a
// stream of its own where the device has streams.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "math/picture_plan.h"

namespace dk {

enum class DType : int;
struct Tensor;

// A decoded image: 8 bits, rows from the top, channels side by side.
struct RenderSource {
  int number = 0;                   // in the data set
  const uint8_t* pixels = nullptr;  // null where the renderer holds them
  int w = 0, h = 0;
  uint8_t mean[3] = {0, 0, 0};
};

struct RenderPicture {
  const PicturePlan* plan = nullptr;
  std::vector<RenderSource> sources;  // PixelPatch::source counts these
};

struct RenderBatch {
  int w = 0, h = 0;
  std::vector<RenderPicture> pictures;
};

struct RendererOptions {
  int images = 0;  // of the data set
  int channels = 3;
  int batch = 1, w = 0, h = 0;  // the most that is drawn at once
  DType dtype{};
  bool blurs = false;        // plans may ask for blur
  int64_t device_bytes = 0;  // for images kept in the device's memory
  int64_t pinned_bytes = 0;  // for images kept in host memory that the device reads
  // Room for the images of a drawing that are kept nowhere; what is not there when it is needed is taken then.
  int64_t staged_bytes = 0;
};

struct RendererMemory {
  int64_t device = 0, host = 0;
};

struct RendererTier {
  int64_t images = 0, bytes = 0, room = 0;  // held, of these bytes at most
};

class PictureRenderer {
 public:
  virtual ~PictureRenderer() = default;

  // Keeps a copy of the image where there is room: true when it is held and its pixels need not be given any more. What is held
  // once stays. Any thread may call, while others draw.
  virtual bool hold(const RenderSource& image) = 0;

  // Begins to draw; all pixels have been read when it returns. There is one drawing at a time: the one before may be on its way
  // into a tensor still, or is dropped.
  virtual void render(const RenderBatch& batch) = 0;
  // The drawing into an input tensor of its shape, in order with the back end's other operations.
  virtual void put_into(const Tensor& input) = 0;

  virtual RendererTier device_tier() const = 0;
  virtual RendererTier pinned_tier() const = 0;
  virtual std::string describe() const = 0;  // where images are kept, in one sentence
};

}  // namespace dk
