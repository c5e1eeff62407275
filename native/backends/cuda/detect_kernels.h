// The kernels of detection as functions on arrays of the card; detect.cu owns the arrays.
#pragma once

#include "backend/backend.h"
#include "cuda/context.h"
#include "math/corners.h"

namespace dk::cuda {

// One picture on its way into an input. All arrays are the card's.
struct PictureTask {
  const float* ready;  // the whole input image, planar; or null and
  const uint8_t* pixels;
  const float* unit;  // 0..255 as 0..1
  const CornerTap *columns, *rows;
  int picture_w, channels;
  int x, y, w, h;
  int image;
};
void place_picture(const Context& context, const PictureTask& task, const Tensor& dst);

// A head, and where its slots stand in the list of all heads' slots.
struct HeadTask {
  YoloParams params;     // without its arrays
  const float* anchors;  // two for each slot of a cell
  int base;
  int net_w, net_h;
  float threshold;
};

// Appends the head's slots above the threshold to each image's list: cells row by row, the slots of a cell in order. lists:
// `room` for each image.
void list_candidates(const Context& context, const Tensor& raw, const HeadTask& head, int images, int room, int* lists,
                     int* counts);

// Some images' candidates, side by side.
struct ChunkImage {
  int image, count;
  int start;           // of its candidates
  int ranked, padded;  // of its ranks, for one class; their number, a power of two
};
struct Chunk {
  const ChunkImage* images;
  int image_count, most;  // most: the largest count
  int classes;
  Box* boxes;
  float *objectness, *probs;
  uint8_t* suppressed;
  int* ranked;
};
void decode_candidates(const Context& context, const Tensor& raw, const HeadTask& head, const int* lists, int room,
                       const BoxFrame* frames, const Chunk& chunk);

struct SuppressionRule {
  NmsKind kind;
  float beta, threshold;
};
// Suppresses class by class, then writes everything in the last class's order.
void suppress(const Context& context, const SuppressionRule& rule, const Chunk& chunk, Box* boxes, float* objectness,
              float* probs);

}  // namespace dk::cuda
