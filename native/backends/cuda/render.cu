// A thread a pixel. It looks for the patches that cover its place, asks for their colour there and writes one vector of lanes;
// the order of operations is that of data/render, so that both round alike. Blur takes two kernels before: the whole augmented
// picture, then its rows convolved; its columns are convolved where the patch is drawn.
#include "cuda/render.h"

#include "cuda/view.h"

namespace dk::cuda {
namespace {

// Loops over colours run over all of them, so that they stay in registers.
constexpr int kColours = 3;

struct Colour {
  float v[kColours];
};

// The stored colour at (x, y), of all there is; outside lies the mean.
__device__ __forceinline__ float level(const DevicePatch& from, int channels, int x, int y, int c) {
  if (x < 0 || y < 0 || x >= from.w || y >= from.h) return static_cast<float>(from.mean[c]);
  return static_cast<float>(from.pixels[(static_cast<int64_t>(y) * from.w + x) * channels + c]);
}

// Pixel (x, y) of the source's augmented picture, before blur and noise.
__device__ __forceinline__ Colour augmented(const DevicePatch& from, int channels, int x, int y) {
  const float across = source_position(from.patch.x, x, from.w), down = source_position(from.patch.y, y, from.h);
  const int left = static_cast<int>(floorf(across)), upper = static_cast<int>(floorf(down));
  const float share_x = across - static_cast<float>(left), share_y = down - static_cast<float>(upper);
  Colour colour{};
  for (int c = 0; c < kColours; ++c) {
    if (c >= channels) break;
    const float upper_left = level(from, channels, left, upper, c), upper_right = level(from, channels, left + 1, upper, c);
    const float lower_left = level(from, channels, left, upper + 1, c),
                lower_right = level(from, channels, left + 1, upper + 1, c);
    // Rounded before it goes on, as where it is stored in between.
    const float a = __fmul_rn(mix(upper_left, lower_left, share_y), kPerLevel);
    const float b = __fmul_rn(mix(upper_right, lower_right, share_y), kPerLevel);
    colour.v[c] = mix(a, b, share_x);
  }
  if (channels == 1) {
    colour.v[0] = clamp01(colour.v[0] * from.patch.colour.exposure);
  } else if (changes_colour(from.patch.colour)) {
    shift_colour(from.patch.colour, colour.v[0], colour.v[1], colour.v[2]);
  }
  return colour;
}

__device__ __forceinline__ bool is_sharp(const DevicePatch& patch, int x, int y) {
  for (int i = 0; i < patch.sharps; ++i) {
    const PixelBox& box = patch.sharp[i];
    if (x >= box.left && x < box.right && y >= box.top && y < box.bottom) return true;
  }
  return false;
}

__device__ __forceinline__ Colour blurred(const DevicePatch& patch, const DrawingShape& shape, int x, int y) {
  const bool sharp = is_sharp(patch, x, y);
  const int half = patch.taps / 2;
  Colour colour{};
  for (int c = 0; c < kColours; ++c) {
    if (c >= shape.channels) break;
    if (sharp) {
      colour.v[c] = patch.room.drawn[(static_cast<int64_t>(y) * shape.w + x) * shape.channels + c];
      continue;
    }
    float sum = 0;
    for (int k = 0; k < patch.taps; ++k) {
      const int64_t row = mirrored_index(y + k - half, shape.h);
      sum += patch.weights[k] * patch.room.rows[(row * shape.w + x) * shape.channels + c];
    }
    colour.v[c] = sum;
  }
  return colour;
}

// Noise is rare and its code long: out of line it takes no registers from everything else.
__device__ DK_OUT_OF_LINE float noise_at(const DevicePatch& patch, const DevicePicture& picture, uint64_t element) {
  const Philox4 bits = noise_bits(picture.seed, picture.iteration, patch.noise_slot, static_cast<uint32_t>(element / 4));
  const bool second_pair = element % 4 >= 2;
  float pair[2];
  normal_pair(second_pair ? bits.v[2] : bits.v[0], second_pair ? bits.v[3] : bits.v[1], pair);
  return element % 2 == 0 ? pair[0] : pair[1];
}

__device__ __forceinline__ void add_noise(const DevicePatch& patch, const DevicePicture& picture, const DrawingShape& shape,
                                          int x, int y, Colour& colour) {
  for (int c = 0; c < kColours; ++c) {
    if (c >= shape.channels) break;
    // Which number of the stream: the element of the planar augmented picture.
    const uint64_t element = (static_cast<uint64_t>(c) * shape.h + y) * shape.w + x;
    colour.v[c] = clamp01(colour.v[c] + patch.noise * noise_at(patch, picture, element));
  }
}

template <class T>
__global__ void __launch_bounds__(kBlock)
    draw_kernel(DrawingShape shape, const DevicePicture* pictures, const DevicePatch* patches, T* out) {
  const int64_t places = static_cast<int64_t>(shape.w) * shape.h;
  const int64_t place = static_cast<int64_t>(blockIdx.x) * kBlock + threadIdx.x;
  if (place >= places) return;
  const int x = static_cast<int>(place % shape.w), y = static_cast<int>(place / shape.w);
  const DevicePicture& picture = pictures[blockIdx.y];
  Lanes lanes = zeros();
  for (int i = 0; i < picture.patches; ++i) {
    const DevicePatch& patch = patches[picture.first + i];
    const int column = x - patch.patch.out_x, row = y - patch.patch.out_y;
    if (column < 0 || row < 0 || column >= patch.patch.w || row >= patch.patch.h) continue;
    const int from_x = patch.patch.start_x + column, from_y = patch.patch.start_y + row;
    Colour colour = patch.taps > 0 ? blurred(patch, shape, from_x, from_y) : augmented(patch, shape.channels, from_x, from_y);
    if (patch.noise != 0) add_noise(patch, picture, shape, from_x, from_y, colour);
    const float weight = patch.patch.weight;
    for (int c = 0; c < kColours; ++c) lanes.v[c] = weight * colour.v[c] + (patch.patch.accumulate ? lanes.v[c] : 0.0f);
  }
  store(out + (blockIdx.y * places + place) * kLanes, lanes);
}

__global__ void __launch_bounds__(kBlock)
    whole_kernel(DrawingShape shape, const DevicePatch* patches, const int* blurred_patches) {
  const int64_t place = static_cast<int64_t>(blockIdx.x) * kBlock + threadIdx.x;
  if (place >= static_cast<int64_t>(shape.w) * shape.h) return;
  const DevicePatch& patch = patches[blurred_patches[blockIdx.y]];
  const Colour colour = augmented(patch, shape.channels, static_cast<int>(place % shape.w), static_cast<int>(place / shape.w));
  for (int c = 0; c < kColours; ++c) {
    if (c < shape.channels) patch.room.drawn[place * shape.channels + c] = colour.v[c];
  }
}

__global__ void __launch_bounds__(kBlock)
    rows_kernel(DrawingShape shape, const DevicePatch* patches, const int* blurred_patches) {
  const int64_t place = static_cast<int64_t>(blockIdx.x) * kBlock + threadIdx.x;
  if (place >= static_cast<int64_t>(shape.w) * shape.h) return;
  const DevicePatch& patch = patches[blurred_patches[blockIdx.y]];
  const int x = static_cast<int>(place % shape.w), half = patch.taps / 2;
  const float* row = patch.room.drawn + (place - x) * shape.channels;
  for (int c = 0; c < shape.channels; ++c) {
    float sum = 0;
    for (int k = 0; k < patch.taps; ++k) {
      sum += patch.weights[k] * row[static_cast<int64_t>(mirrored_index(x + k - half, shape.w)) * shape.channels + c];
    }
    patch.room.rows[place * shape.channels + c] = sum;
  }
}

// A block for some pixels of a picture (blockIdx.y).
dim3 blocks_for_pictures(const DrawingShape& shape, int count) {
  dim3 grid = blocks_for(static_cast<int64_t>(shape.w) * shape.h);
  grid.y = static_cast<unsigned>(count);
  return grid;
}

template <class T>
void draw(cudaStream_t stream, const DrawingShape& shape, const DevicePicture* pictures, int count, const DevicePatch* patches,
          T* out) {
  DK_LAUNCH(draw_kernel<T>, blocks_for_pictures(shape, count), kBlock, stream, shape, pictures, patches, out);
  DK_CUDA_LAUNCHED("draw_pictures");
}

}  // namespace

void draw_blurs(cudaStream_t stream, const DrawingShape& shape, const DevicePatch* patches, const int* blurred, int count) {
  if (count == 0) return;
  const dim3 grid = blocks_for_pictures(shape, count);
  DK_LAUNCH(whole_kernel, grid, kBlock, stream, shape, patches, blurred);
  DK_LAUNCH(rows_kernel, grid, kBlock, stream, shape, patches, blurred);
  DK_CUDA_LAUNCHED("draw_blurs");
}

void draw_pictures(cudaStream_t stream, const DrawingShape& shape, const DevicePicture* pictures, int count,
                   const DevicePatch* patches, float* out) {
  draw(stream, shape, pictures, count, patches, out);
}

void draw_pictures(cudaStream_t stream, const DrawingShape& shape, const DevicePicture* pictures, int count,
                   const DevicePatch* patches, Bf16* out) {
  draw(stream, shape, pictures, count, patches, out);
}

void draw_pictures(cudaStream_t stream, const DrawingShape& shape, const DevicePicture* pictures, int count,
                   const DevicePatch* patches, Half* out) {
  draw(stream, shape, pictures, count, patches, out);
}

}  // namespace dk::cuda
