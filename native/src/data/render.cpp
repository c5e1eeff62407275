// From a stored picture to a rectangle of an augmented one in a single pass, and whole pictures from plans (see render.h). Loops
// run over whole rows of plain arrays so that the compiler turns each into vector code.
#include "data/render.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/status.h"

namespace dk {
namespace {

// The columns of the source that an output row touches, [first, last].
struct Span {
  int first = 0, last = -1;
};

// Positions are held one pixel outside the picture, where only the mean colour lies; row buffers have one column of it on the
// left and two on the right, so that both neighbours of every position can be read.
constexpr size_t kLeftColumns = 1, kRightColumns = 2;

// Four floats in one register (GCC and Clang).
using Float4 = float __attribute__((vector_size(16)));

Float4 load4(const float* from) {
  Float4 four;
  std::memcpy(&four, from, sizeof four);
  return four;
}

void store4(const Float4& four, float* to) { std::memcpy(to, &four, sizeof four); }

Span map_columns(const PixelPatch& patch, int stored_w, int channels, RenderScratch& scratch) {
  scratch.tap.resize(static_cast<size_t>(patch.w));
  scratch.share.resize(static_cast<size_t>(patch.w));
  Span span{stored_w, -1};
  for (int i = 0; i < patch.w; ++i) {
    const float position = source_position(patch.x, patch.start_x + i, stored_w);
    const int left = static_cast<int>(std::floor(position));
    scratch.tap[static_cast<size_t>(i)] = (left + static_cast<int>(kLeftColumns)) * channels;
    scratch.share[static_cast<size_t>(i)] = position - static_cast<float>(left);
    span.first = std::min(span.first, left);
    span.last = std::max(span.last, left + 1);
  }
  span.first = std::max(span.first, 0);
  span.last = std::min(span.last, stored_w - 1);
  return span;
}

// Mixes two source rows; a row outside the picture is one of the mean colour.
void mix_rows(const SourceImage& source, float position, const Span& span, RenderScratch& scratch) {
  const Image8& image = source.image;
  const int upper = static_cast<int>(std::floor(position));
  const float share = position - static_cast<float>(upper);
  const auto row_at = [&](int y) { return y >= 0 && y < image.h ? image.row(y) : scratch.mean_row.data(); };
  const uint8_t* a = row_at(upper);
  const uint8_t* b = row_at(upper + 1);
  float* out = scratch.row.data() + kLeftColumns * static_cast<size_t>(image.channels);
  const int end = (span.last + 1) * image.channels;
  for (int i = span.first * image.channels; i < end; ++i) {
    const float from = static_cast<float>(a[i]);
    out[i] = mix(from, static_cast<float>(b[i]), share) * kPerLevel;
  }
}

void prepare_rows(const SourceImage& source, RenderScratch& scratch) {
  const size_t channels = static_cast<size_t>(source.image.channels), w = static_cast<size_t>(source.image.w);
  constexpr size_t kSpare = 1;  // stretch_colour reads four floats where a pixel has three
  scratch.row.resize((kLeftColumns + w + kRightColumns) * channels + kSpare);
  scratch.mean_row.resize(w * channels);
  for (size_t c = 0; c < channels; ++c) {
    for (size_t x = 0; x < w; ++x) scratch.mean_row[x * channels + c] = source.mean[c];
    const float mean = static_cast<float>(source.mean[c]) * kPerLevel;
    scratch.row[c] = mean;
    for (size_t column = 0; column < kRightColumns; ++column) scratch.row[(kLeftColumns + w + column) * channels + c] = mean;
  }
}

// RGB of the row side by side -> one array a colour. Four columns at a time: a pixel's colours are mixed in one register, and
// four such registers are transposed.
void stretch_colour(const RenderScratch& scratch, size_t w, float* red, float* green, float* blue) {
  const float* const row = scratch.row.data();
  const int* const tap = scratch.tap.data();
  const float* const share = scratch.share.data();
  const auto pixel = [&](size_t i) {
    const Float4 left = load4(row + tap[i]);
    return left + share[i] * (load4(row + tap[i] + 3) - left);
  };
  size_t i = 0;
  for (; i + 4 <= w; i += 4) {
    const Float4 p0 = pixel(i), p1 = pixel(i + 1), p2 = pixel(i + 2), p3 = pixel(i + 3);
    const Float4 red_green01 = __builtin_shufflevector(p0, p1, 0, 4, 1, 5),
                 red_green23 = __builtin_shufflevector(p2, p3, 0, 4, 1, 5);
    const Float4 blue01 = __builtin_shufflevector(p0, p1, 2, 6, 2, 6), blue23 = __builtin_shufflevector(p2, p3, 2, 6, 2, 6);
    store4(__builtin_shufflevector(red_green01, red_green23, 0, 1, 4, 5), red + i);
    store4(__builtin_shufflevector(red_green01, red_green23, 2, 3, 6, 7), green + i);
    store4(__builtin_shufflevector(blue01, blue23, 0, 1, 4, 5), blue + i);
  }
  for (; i < w; ++i) {
    const Float4 p = pixel(i);
    red[i] = p[0];
    green[i] = p[1];
    blue[i] = p[2];
  }
}

void stretch_grey(const RenderScratch& scratch, size_t w, float* grey) {
  for (size_t i = 0; i < w; ++i) {
    const float* const left = scratch.row.data() + scratch.tap[i];
    grey[i] = mix(left[0], left[1], scratch.share[i]);
  }
}

void shift_row(const ColourShift& colour, size_t w, float* red, float* green, float* blue) {
  const ColourShift shift = colour;
  for (size_t i = 0; i < w; ++i) shift_colour(shift, red[i], green[i], blue[i]);
}

void write_row(const PixelPatch& patch, const float* from, float* to) {
  const size_t w = static_cast<size_t>(patch.w);
  if (patch.accumulate) {
    for (size_t i = 0; i < w; ++i) to[i] += patch.weight * from[i];
  } else {
    for (size_t i = 0; i < w; ++i) to[i] = patch.weight * from[i];
  }
}

}  // namespace

SourceImage make_source(Image8 image, int full_w, int full_h) {
  SourceImage source;
  uint64_t sums[3] = {0, 0, 0};
  const size_t channels = static_cast<size_t>(image.channels), pixels = image.pixels.size() / channels;
  for (size_t i = 0; i < pixels; ++i) {
    for (size_t c = 0; c < channels; ++c) sums[c] += image.pixels[i * channels + c];
  }
  for (size_t c = 0; c < channels; ++c) source.mean[c] = static_cast<uint8_t>((sums[c] + pixels / 2) / pixels);
  source.image = std::move(image);
  source.full_w = full_w;
  source.full_h = full_h;
  return source;
}

void render_patch(const PixelPatch& patch, const SourceImage& source, int net_w, int net_h, float* out, RenderScratch& scratch) {
  const int channels = source.image.channels;
  DK_ASSERT(channels == 1 || channels == 3);
  DK_ASSERT(patch.out_x >= 0 && patch.out_y >= 0 && patch.out_x + patch.w <= net_w && patch.out_y + patch.h <= net_h);
  if (patch.w <= 0 || patch.h <= 0) return;
  prepare_rows(source, scratch);
  const Span span = map_columns(patch, source.image.w, channels, scratch);
  const size_t w = static_cast<size_t>(patch.w), plane = static_cast<size_t>(net_w) * static_cast<size_t>(net_h);
  scratch.colours.resize(w * static_cast<size_t>(channels));
  float* const colours = scratch.colours.data();
  const bool shifts = changes_colour(patch.colour);
  for (int j = 0; j < patch.h; ++j) {
    mix_rows(source, source_position(patch.y, patch.start_y + j, source.image.h), span, scratch);
    if (channels == 3) {
      stretch_colour(scratch, w, colours, colours + w, colours + 2 * w);
      if (shifts) shift_row(patch.colour, w, colours, colours + w, colours + 2 * w);
    } else {
      stretch_grey(scratch, w, colours);
      for (size_t i = 0; i < w; ++i) colours[i] = clamp01(colours[i] * patch.colour.exposure);
    }
    float* to = out + static_cast<size_t>(patch.out_y + j) * static_cast<size_t>(net_w) + static_cast<size_t>(patch.out_x);
    for (int c = 0; c < channels; ++c, to += plane) write_row(patch, colours + static_cast<size_t>(c) * w, to);
  }
}

namespace {

// The whole augmented picture that the patch is a window of, with its blur and noise.
const ImageF& draw_whole(const PatchPlan& plan, const SourceImage& source, const PictureShape& shape, uint64_t seed,
                         uint64_t iteration, RenderScratch& scratch) {
  PixelPatch all = plan.patch;
  all.out_x = all.out_y = all.start_x = all.start_y = 0;
  all.w = shape.w;
  all.h = shape.h;
  all.weight = 1;
  all.accumulate = false;
  ImageF& whole = scratch.whole;
  whole.w = shape.w;
  whole.h = shape.h;
  whole.c = source.image.channels;
  whole.data.resize(whole.plane() * static_cast<size_t>(whole.c));
  render_patch(all, source, shape.w, shape.h, whole.data.data(), scratch);
  blur_picture(whole, plan.blur, scratch.blurred);
  if (plan.noise != 0) add_noise(whole, plan.noise, seed, iteration, plan.noise_slot);
  return whole;
}

void copy_window(const PixelPatch& patch, const ImageF& whole, float* pixels) {
  for (int c = 0; c < whole.c; ++c) {
    for (int j = 0; j < patch.h; ++j) {
      float* to = pixels + static_cast<size_t>(c) * whole.plane() +
                  static_cast<size_t>(patch.out_y + j) * static_cast<size_t>(whole.w) + static_cast<size_t>(patch.out_x);
      write_row(patch, whole.row(c, patch.start_y + j) + patch.start_x, to);
    }
  }
}

}  // namespace

void render_picture(const PicturePlan& plan, std::span<const SourceImage* const> sources, const PictureShape& shape, float* out,
                    RenderScratch& scratch) {
  for (const PatchPlan& part : plan.patches) {
    const SourceImage& source = *sources[static_cast<size_t>(part.patch.source)];
    if (part.blur.weights.empty() && part.noise == 0) {
      render_patch(part.patch, source, shape.w, shape.h, out, scratch);
    } else {
      copy_window(part.patch, draw_whole(part, source, shape, plan.seed, plan.iteration, scratch), out);
    }
  }
}

}  // namespace dk
