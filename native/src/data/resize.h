// Changing the size of pictures. Two bilinear rules live side by side, because upstream has both: corners aligned for
// everything the finished network sees (darknet.md 6.1), and pixel centres (OpenCV's INTER_LINEAR) in training (darknet.md 5.3).
// Neither smooths before shrinking.
#pragma once

#include "data/image.h"

namespace dk {

// 8-bit to planar floats, /255. channels 1 from RGB takes 0.299 R + 0.587 G + 0.114 B; 3 from grey repeats it.
ImageF to_float(const Image8& image, int channels);
Image8 to_8bit(const ImageF& image);  // clamps to 0..1 and rounds; 1 or 3 channels

// Corners aligned: the first and last rows and columns of both pictures coincide.
ImageF resize_image(const ImageF& image, int w, int h);
// The same from 8 bits into `out`, planar channels x h x w, 0..1: how a picture gets into a network.
void resize_into(const Image8& image, int channels, int w, int h, float* out);
ImageF resize_image(const Image8& image, int channels, int w, int h);

// Fits the picture into w x h keeping its shape, the rest 0.5 grey.
struct LetterboxPlace {
  int x = 0, y = 0, w = 0, h = 0;  // where the picture lies on the canvas
};
LetterboxPlace letterbox_place(int image_w, int image_h, int w, int h);
ImageF letterbox_image(const ImageF& image, int w, int h);
void letterbox_into(const Image8& image, int channels, int w, int h, float* out);

// Pixel centres aligned, the border repeated.
ImageF resize_half_pixel(const ImageF& image, int w, int h);

}  // namespace dk
