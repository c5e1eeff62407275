// The [yolo] head on the card: activation and, in training, deltas and figures. Contracts: backend/backend.h.
#pragma once

#include "backend/backend.h"
#include "cuda/context.h"

namespace dk::cuda {

int64_t yolo_scratch_bytes(const YoloParams& params, int n);
void yolo_activate(const Context& context, const YoloParams& params, const Tensor& raw, const Tensor& out);
void yolo_loss(const Context& context, const YoloHead& head, const StepValues* step, const Tensor& raw, const Tensor& out,
               const Tensor& delta, void* scratch);

}  // namespace dk::cuda
