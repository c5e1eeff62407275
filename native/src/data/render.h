// Makes the pixels of augmented pictures: one pass per patch that cuts, flips, resizes, shifts colours and writes planar floats
// (math/augment_pixel.h has the arithmetic); blur and noise work on a whole augmented picture.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/image.h"
#include "data/labels.h"
#include "math/augment_pixel.h"
#include "math/picture_plan.h"

namespace dk {

// A picture as the loader keeps it: decoded, upright, perhaps reduced from full_w x full_h; mean colour in levels 0..255,
// rounded. Without pixels where somebody else holds them: size and colour are enough to plan with.
struct SourceImage {
  Image8 image;
  int full_w = 0, full_h = 0;
  uint8_t mean[3] = {0, 0, 0};
};

// Computes the mean colour.
SourceImage make_source(Image8 image, int full_w, int full_h);

// Buffers that live as long as the thread that renders.
struct RenderScratch {
  std::vector<int> tap;           // per output column: first float of its left neighbour in `row`
  std::vector<float> share;       // per output column: share of the right neighbour
  std::vector<float> row;         // a source row, mixed of two, 0..1, between columns of the mean colour
  std::vector<uint8_t> mean_row;  // a source row of the mean colour
  std::vector<float> colours;     // an output row [channels][w]
  ImageF whole, blurred;          // an augmented picture, for blur and noise
};

// out: [channels, net_h, net_w], 0..1, channels as the source has.
void render_patch(const PixelPatch& patch, const SourceImage& source, int net_w, int net_h, float* out, RenderScratch& scratch);

struct PictureShape {
  int w = 0, h = 0;
};

// out: the whole picture [channels, h, w]. sources: those that the plan's patches name, with pixels.
void render_picture(const PicturePlan& plan, std::span<const SourceImage* const> sources, const PictureShape& shape, float* out,
                    RenderScratch& scratch);

// Gaussian blur as OpenCV's GaussianBlur(size, sigma 0): odd size from 3, sigma from the size, border mirrored without its last
// pixel.
void blur_image(const ImageF& image, int size, ImageF& out);

// The blur key (darknet.md 5.6) for a picture of w x h: 0 = none, 1 = a 17 x 17 blur of everything but the boxes; else a blur of
// that size, less where the smallest box is small.
BlurPlan plan_blur(int blur, const std::vector<LabelBox>& boxes, int w, int h);
void blur_picture(ImageF& image, const BlurPlan& blur, ImageF& scratch);

// Adds N(0, sigma) to each element and clamps to 0..1.
void add_noise(ImageF& image, float sigma, uint64_t seed, uint64_t iteration, uint32_t slot);

}  // namespace dk
