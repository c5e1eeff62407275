// Blur and noise of a whole augmented picture (see render.h).
#include <algorithm>
#include <cmath>

#include "core/status.h"
#include "data/render.h"

namespace dk {
namespace {

constexpr int kBackgroundBlur = 17;

// OpenCV rounds the weights of small filters to these 256ths (its getGaussianKernel with sigma 0); outermost first.
constexpr float kSmall3[] = {64, 128}, kSmall5[] = {16, 64, 96}, kSmall7[] = {8, 28, 56, 72}, kSmall9[] = {4, 13, 30, 51, 60};

std::vector<float> small_weights(int size) {
  const float* const half = size == 3 ? kSmall3 : size == 5 ? kSmall5 : size == 7 ? kSmall7 : kSmall9;
  std::vector<float> weights;
  for (int i = 0; i < size; ++i) weights.push_back(half[std::min(i, size - 1 - i)] / 256.0f);
  return weights;
}

std::vector<float> gaussian_weights(int size) {
  if (size <= 9) return small_weights(size);
  const float sigma = 0.3f * (static_cast<float>(size - 1) * 0.5f - 1.0f) + 0.8f;
  std::vector<float> weights;
  float sum = 0;
  for (int i = 0; i < size; ++i) {
    const float x = static_cast<float>(i - size / 2);
    weights.push_back(std::exp(-x * x / (2 * sigma * sigma)));
    sum += weights.back();
  }
  for (float& weight : weights) weight /= sum;
  return weights;
}

void blur_rows(const ImageF& from, const std::vector<float>& weights, ImageF& to) {
  const int half = static_cast<int>(weights.size()) / 2;
  std::vector<float> padded(static_cast<size_t>(from.w + 2 * half));
  for (int c = 0; c < from.c; ++c) {
    for (int y = 0; y < from.h; ++y) {
      const float* row = from.row(c, y);
      for (int i = 0; i < from.w + 2 * half; ++i) padded[static_cast<size_t>(i)] = row[mirrored_index(i - half, from.w)];
      float* out = to.row(c, y);
      std::fill_n(out, from.w, 0.0f);
      for (size_t k = 0; k < weights.size(); ++k) {
        for (int x = 0; x < from.w; ++x) out[x] += weights[k] * padded[static_cast<size_t>(x) + k];
      }
    }
  }
}

void blur_columns(const ImageF& from, const std::vector<float>& weights, ImageF& to) {
  const int half = static_cast<int>(weights.size()) / 2;
  for (int c = 0; c < from.c; ++c) {
    for (int y = 0; y < from.h; ++y) {
      float* out = to.row(c, y);
      std::fill_n(out, from.w, 0.0f);
      for (size_t k = 0; k < weights.size(); ++k) {
        const float* row = from.row(c, mirrored_index(y + static_cast<int>(k) - half, from.h));
        for (int x = 0; x < from.w; ++x) out[x] += weights[k] * row[x];
      }
    }
  }
}

PixelBox pixels_of(const LabelBox& box, int w, int h) {
  const auto at = [](float share, int side) { return std::clamp(static_cast<int>(share * static_cast<float>(side)), 0, side); };
  return {at(box.x - box.w / 2, w), at(box.y - box.h / 2, h), at(box.x + box.w / 2, w), at(box.y + box.h / 2, h)};
}

void convolve(const ImageF& image, const std::vector<float>& weights, ImageF& out) {
  ImageF rows = image;
  blur_rows(image, weights, rows);
  out = image;
  blur_columns(rows, weights, out);
}

}  // namespace

void blur_image(const ImageF& image, int size, ImageF& out) {
  DK_ASSERT(size >= 3 && size % 2 == 1);
  convolve(image, gaussian_weights(size), out);
}

BlurPlan plan_blur(int blur, const std::vector<LabelBox>& boxes, int w, int h) {
  BlurPlan plan;
  int size = blur;
  if (blur == 1) {
    size = kBackgroundBlur;
    for (const LabelBox& box : boxes) plan.sharp.push_back(pixels_of(box, w, h));
  } else {
    for (const LabelBox& box : boxes) {
      const float least = std::min(box.w * static_cast<float>(w), box.h * static_cast<float>(h));
      size = std::min(size, static_cast<int>(least / 8) / 2 * 2 + 1);
    }
  }
  if (size >= 2) plan.weights = gaussian_weights(size);
  return plan;
}

void blur_picture(ImageF& image, const BlurPlan& blur, ImageF& scratch) {
  if (blur.weights.empty()) return;
  convolve(image, blur.weights, scratch);
  for (const PixelBox& sharp : blur.sharp) {
    for (int c = 0; c < image.c; ++c) {
      for (int y = sharp.top; y < sharp.bottom; ++y) {
        std::copy_n(image.row(c, y) + sharp.left, sharp.right - sharp.left, scratch.row(c, y) + sharp.left);
      }
    }
  }
  std::swap(image, scratch);
}

void add_noise(ImageF& image, float sigma, uint64_t seed, uint64_t iteration, uint32_t slot) {
  float normal[4];
  for (size_t i = 0; i < image.data.size(); ++i) {
    if (i % 4 == 0) normal4(seed, iteration, slot, static_cast<uint32_t>(i / 4), normal);
    image.data[i] = clamp01(image.data[i] + sigma * normal[i % 4]);
  }
}

}  // namespace dk
