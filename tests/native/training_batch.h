// Pictures and boxes to train on, made up: the same for the same number, one box an image.
#pragma once

#include <cstdint>
#include <vector>

#include "math/philox.h"
#include "model/network_def.h"

namespace dk::test {

struct TrainingBatch {
  std::vector<float> pixels, truth;

  TrainingBatch(const NetworkDef& def, int images, uint64_t number) {
    Draws draws(3, Purpose::noise, number, 0);
    const size_t count = static_cast<size_t>(images);
    pixels.resize(static_cast<size_t>(def.net.channels) * def.net.width * def.net.height * count);
    for (float& pixel : pixels) pixel = draws.uniform(0.0f, 1.0f);
    const size_t floats = static_cast<size_t>(def.last_yolo()->yolo().scalars.max_boxes) * 5;  // of an image
    truth.assign(floats * count, 0.0f);
    for (size_t image = 0; image < count; ++image) {
      float* box = &truth[floats * image];
      box[0] = draws.uniform(0.3f, 0.7f), box[1] = draws.uniform(0.3f, 0.7f), box[2] = 0.3f, box[3] = 0.4f, box[4] = 1;
    }
  }
};

}  // namespace dk::test
