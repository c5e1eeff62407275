// What a cfg asks of the training pictures: the keys of [net] and of the last detection layer (darknet.md 2, 3.7).
#pragma once

namespace dk {

struct AugmentOptions {
  int w = 416, h = 416, channels = 3;  // of the network's input; channels 1 or 3
  float jitter = 0.2f;                 // share of the side by which the crop may move
  float resize = 1.0f;                 // range of zooming in and out
  float hue = 0;                       // largest turn, share of the circle
  float saturation = 1, exposure = 1;  // largest factors
  bool flip = false;
  bool mosaic = false, mosaic_bound = false, mixup = false;
  int blur = 0;            // 0 none, 1 background, above: size
  int gaussian_noise = 0;  // standard deviation in levels of 255
  bool letter_box = false;
  int max_boxes = 200;  // rows of the truth of one picture
  int classes = 1;
};

// Throws Error(bad_input) for values out of range and for mosaic with letter_box.
void check_augment_options(const AugmentOptions& options);

}  // namespace dk
