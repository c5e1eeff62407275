// Detection's own work on a device: 8-bit pictures into the network's input, and objects out of the raw outputs of its [yolo]
// heads, so that neither pictures of floats nor whole heads travel between host and device. A back end without it leaves both
// to the host (data/resize.h, infer/detection.h), whose results and order these have.
#pragma once

#include <cstdint>
#include <vector>

#include "math/suppression.h"
#include "math/yolo_loss.h"

namespace dk {

struct Tensor;

// A picture in the host's memory: rows from the top, 1 or 3 channels side by side, no gaps. It is stretched, corners aligned, to
// the rectangle x, y, w, h of the network's input; what that leaves free becomes 0.5.
// Or, where that is fewer bytes, the host has brought it to the input's size already: `ready` holds all of the input's channels
// as planar floats, and the rest means nothing.
struct PlacedPicture {
  const float* ready = nullptr;
  const uint8_t* pixels = nullptr;
  int picture_w = 0, picture_h = 0, channels = 3;
  int x = 0, y = 0, w = 0, h = 0;
};

struct RawHead {
  YoloParams params;  // its arrays are the host's
  const Tensor* raw = nullptr;
};

struct ObjectQuery {
  std::vector<RawHead> heads;  // all of as many classes
  int net_w = 0, net_h = 0;
  std::vector<BoxFrame> frames;  // one a picture, or empty: boxes stay as they are
  float threshold = 0;           // for objectness, and for objectness times class probability
  float nms = 0;                 // 0: nothing is suppressed
  NmsKind nms_kind = NmsKind::default_nms;
  float beta_nms = 0;
};

// What infer/detection.h has as Detections: probs holds as many floats an object as there are classes.
struct ObjectList {
  std::vector<Box> boxes;
  std::vector<float> objectness, probs;
};

class DeviceDetection {
 public:
  virtual ~DeviceDetection() = default;

  // pictures[i] becomes image i of dst, a network's input of 1 or 3 channels.
  virtual void place_pictures(const std::vector<PlacedPicture>& pictures, const Tensor& dst) = 0;

  // The objects of the first `images` images, one list each.
  virtual std::vector<ObjectList> find_objects(const ObjectQuery& query, int images) = 0;
};

}  // namespace dk
