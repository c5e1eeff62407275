// Bilinear resizing (see resize.h): one routine for both rules. The two source rows an output row needs are first stretched to
// the output's width, each source row once, then mixed. Output planar [channels, h, w].
#include "data/resize.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/status.h"
#include "math/corners.h"

namespace dk {
namespace {

// For each output position along one axis: the source positions before and after, and the share of the second.
struct Axis {
  std::vector<int> low, high;
  std::vector<float> share;
};

Axis aligned_corners(int from, int to) {
  Axis axis;
  const float step = corner_step(from, to);
  for (int i = 0; i < to; ++i) {
    const CornerTap tap = corner_tap(i, from, to, step);
    axis.low.push_back(tap.low);
    axis.high.push_back(tap.high);
    axis.share.push_back(tap.share);
  }
  return axis;
}

Axis aligned_centres(int from, int to) {
  Axis axis;
  const float scale = static_cast<float>(from) / static_cast<float>(to);
  for (int i = 0; i < to; ++i) {
    const float position = std::clamp((static_cast<float>(i) + 0.5f) * scale - 0.5f, 0.0f, static_cast<float>(from - 1));
    const int low = static_cast<int>(position);
    axis.low.push_back(low);
    axis.high.push_back(std::min(low + 1, from - 1));
    axis.share.push_back(position - static_cast<float>(low));
  }
  return axis;
}

// Where an output plane lies: rows are `stride` floats apart.
struct Target {
  float* data;
  size_t stride, plane;
  int w, h;
};

void stretch_row(const float* row, const Axis& x, int w, float* out) {
  const int* low = x.low.data();
  const int* high = x.high.data();
  const float* share = x.share.data();
  for (int i = 0; i < w; ++i) out[i] = between(row[low[i]], row[high[i]], share[i]);
}

// `stretch(source_row, out)` fills [channels][w]; rows come in rising order, so each is stretched once.
template <typename Stretch>
void resize_rows(const Axis& y, int channels, const Target& target, const Stretch& stretch) {
  const size_t width = static_cast<size_t>(target.w), all = width * static_cast<size_t>(channels);
  std::vector<float> buffer(2 * all);
  float* rows[2] = {buffer.data(), buffer.data() + all};
  int held[2] = {-1, -1};
  for (int j = 0; j < target.h; ++j) {
    const int low = y.low[static_cast<size_t>(j)], high = y.high[static_cast<size_t>(j)];
    if (held[0] != low) {
      std::swap(rows[0], rows[1]);
      std::swap(held[0], held[1]);
      if (held[0] != low) stretch(held[0] = low, rows[0]);
    }
    if (held[1] != high && high != low) stretch(held[1] = high, rows[1]);
    const float share = y.share[static_cast<size_t>(j)];
    const float* const upper = rows[0];
    const float* const lower = high == low ? rows[0] : rows[1];
    for (int c = 0; c < channels; ++c) {
      float* out = target.data + static_cast<size_t>(c) * target.plane + static_cast<size_t>(j) * target.stride;
      const float* a = upper + static_cast<size_t>(c) * width;
      const float* b = lower + static_cast<size_t>(c) * width;
      for (size_t i = 0; i < width; ++i) out[i] = between(a[i], b[i], share);
    }
  }
}

void resize_planar(const ImageF& image, const Axis& x, const Axis& y, const Target& target) {
  resize_rows(y, image.c, target, [&](int row, float* out) {
    for (int c = 0; c < image.c; ++c)
      stretch_row(image.row(c, row), x, target.w, out + static_cast<size_t>(c) * static_cast<size_t>(target.w));
  });
}

constexpr float kRed = 0.299f, kGreen = 0.587f, kBlue = 0.114f;

// One 8-bit row to planar floats [channels][w].
void widen_row(const uint8_t* from, int source_channels, int channels, int w, float* out) {
  const size_t width = static_cast<size_t>(w);
  constexpr float kScale = 1.0f / 255.0f;
  if (source_channels == 3 && channels == 3) {
    float* const red = out;
    float* const green = out + width;
    float* const blue = out + 2 * width;
    for (size_t i = 0; i < width; ++i) {
      red[i] = static_cast<float>(from[3 * i]) * kScale;
      green[i] = static_cast<float>(from[3 * i + 1]) * kScale;
      blue[i] = static_cast<float>(from[3 * i + 2]) * kScale;
    }
  } else if (source_channels == 3) {
    for (size_t i = 0; i < width; ++i)
      out[i] = (kRed * from[3 * i] + kGreen * from[3 * i + 1] + kBlue * from[3 * i + 2]) * kScale;
  } else {
    for (size_t i = 0; i < width; ++i) out[i] = static_cast<float>(from[i]) * kScale;
    for (int c = 1; c < channels; ++c) std::memcpy(out + static_cast<size_t>(c) * width, out, width * sizeof(float));
  }
}

void resize_8bit(const Image8& image, int channels, const Axis& x, const Axis& y, const Target& target) {
  const size_t width = static_cast<size_t>(image.w);
  std::vector<float> wide(width * static_cast<size_t>(channels));
  resize_rows(y, channels, target, [&](int row, float* out) {
    widen_row(image.row(row), image.channels, channels, image.w, wide.data());
    for (int c = 0; c < channels; ++c) {
      stretch_row(wide.data() + static_cast<size_t>(c) * width, x, target.w,
                  out + static_cast<size_t>(c) * static_cast<size_t>(target.w));
    }
  });
}

Target whole(float* data, int w, int h) {
  const size_t width = static_cast<size_t>(w);
  return {data, width, width * static_cast<size_t>(h), w, h};
}

Target within(float* data, int w, int h, const LetterboxPlace& place) {
  const Target all = whole(data, w, h);
  const size_t first = static_cast<size_t>(place.y) * all.stride + static_cast<size_t>(place.x);
  return {data + first, all.stride, all.plane, place.w, place.h};
}

ImageF blank(int w, int h, int c, float value) {
  DK_ASSERT(w > 0 && h > 0 && c > 0);
  return {w, h, c, std::vector<float>(static_cast<size_t>(w) * static_cast<size_t>(h) * static_cast<size_t>(c), value)};
}

}  // namespace

ImageF to_float(const Image8& image, int channels) {
  DK_ASSERT(channels == 1 || channels == 3);
  ImageF result = blank(image.w, image.h, channels, 0.0f);
  std::vector<float> row(static_cast<size_t>(image.w) * static_cast<size_t>(channels));
  for (int y = 0; y < image.h; ++y) {
    widen_row(image.row(y), image.channels, channels, image.w, row.data());
    for (int c = 0; c < channels; ++c) std::copy_n(row.data() + static_cast<size_t>(c * image.w), image.w, result.row(c, y));
  }
  return result;
}

Image8 to_8bit(const ImageF& image) {
  DK_ASSERT(image.c == 1 || image.c == 3);
  Image8 result{image.w, image.h, image.c, {}};
  result.pixels.resize(image.data.size());
  for (int y = 0; y < image.h; ++y) {
    uint8_t* out = result.row(y);
    for (int x = 0; x < image.w; ++x) {
      for (int c = 0; c < image.c; ++c) *out++ = static_cast<uint8_t>(std::clamp(image.row(c, y)[x], 0.0f, 1.0f) * 255.0f + 0.5f);
    }
  }
  return result;
}

ImageF resize_image(const ImageF& image, int w, int h) {
  ImageF result = blank(w, h, image.c, 0.0f);
  resize_planar(image, aligned_corners(image.w, w), aligned_corners(image.h, h), whole(result.data.data(), w, h));
  return result;
}

void resize_into(const Image8& image, int channels, int w, int h, float* out) {
  DK_ASSERT(channels == 1 || channels == 3);
  resize_8bit(image, channels, aligned_corners(image.w, w), aligned_corners(image.h, h), whole(out, w, h));
}

ImageF resize_image(const Image8& image, int channels, int w, int h) {
  ImageF result = blank(w, h, channels, 0.0f);
  resize_into(image, channels, w, h, result.data.data());
  return result;
}

LetterboxPlace letterbox_place(int image_w, int image_h, int w, int h) {
  LetterboxPlace place{0, 0, w, h};
  const bool wide = static_cast<float>(w) / static_cast<float>(image_w) < static_cast<float>(h) / static_cast<float>(image_h);
  if (wide) {
    place.h = std::max(1, static_cast<int>(static_cast<int64_t>(image_h) * w / image_w));
  } else {
    place.w = std::max(1, static_cast<int>(static_cast<int64_t>(image_w) * h / image_h));
  }
  place.x = (w - place.w) / 2;
  place.y = (h - place.h) / 2;
  return place;
}

ImageF letterbox_image(const ImageF& image, int w, int h) {
  ImageF result = blank(w, h, image.c, 0.5f);
  const LetterboxPlace place = letterbox_place(image.w, image.h, w, h);
  resize_planar(image, aligned_corners(image.w, place.w), aligned_corners(image.h, place.h),
                within(result.data.data(), w, h, place));
  return result;
}

void letterbox_into(const Image8& image, int channels, int w, int h, float* out) {
  DK_ASSERT(channels == 1 || channels == 3);
  std::fill_n(out, static_cast<size_t>(w) * static_cast<size_t>(h) * static_cast<size_t>(channels), 0.5f);
  const LetterboxPlace place = letterbox_place(image.w, image.h, w, h);
  resize_8bit(image, channels, aligned_corners(image.w, place.w), aligned_corners(image.h, place.h), within(out, w, h, place));
}

ImageF resize_half_pixel(const ImageF& image, int w, int h) {
  ImageF result = blank(w, h, image.c, 0.0f);
  resize_planar(image, aligned_centres(image.w, w), aligned_centres(image.h, h), whole(result.data.data(), w, h));
  return result;
}

}  // namespace dk
