#include "backend/host_backend.h"

#include <cstdlib>
#include <cstring>

#include "backend/host_yolo.h"
#include "core/status.h"

namespace dk {
namespace {

float* planar_floats(const Tensor& t) {
  DK_ASSERT(t.data != nullptr && t.dtype == DType::f32 && t.planar && t.c == t.buffer_c);
  return static_cast<float*>(t.data);
}

}  // namespace

void HostBackend::give_memory_back(void* memory) { std::free(memory); }

void HostBackend::upload(void* device, const void* host, int64_t bytes) { copy_bytes(device, host, bytes); }

void HostBackend::download(void* host, const void* device, int64_t bytes) { copy_bytes(host, device, bytes); }

void HostBackend::copy_bytes(void* to, const void* from, int64_t bytes) {
  if (bytes > 0) std::memcpy(to, from, static_cast<size_t>(bytes));  // nothing may lie nowhere, which memcpy does not allow
}

void HostBackend::yolo_activate(const YoloParams& params, const Tensor& raw, const Tensor& out) {
  export_planar(raw, planar_floats(out));
  yolo_forward_infer(params, raw.n, raw.h, raw.w, planar_floats(out));
}

void HostBackend::yolo_loss(const YoloHead& head, const StepValues* step, const Tensor& raw, const Tensor& out,
                            const Tensor& delta, void*) {
  export_planar(raw, planar_floats(out));
  head.figures[static_cast<int64_t>(step->first_image / static_cast<uint32_t>(raw.n)) * head.figure_stride] = yolo_forward_train(
      head.params, raw.n, raw.h, raw.w, head.net_w, head.net_h, planar_floats(out), head.truth, planar_floats(delta));
}

void HostBackend::update(std::span<const SgdArgs> arrays, const StepValues* step, int32_t* not_finite) {
  for (const SgdArgs& array : arrays) {
    const float rate = step->rate * array.rate_factor / array.rate_divisor;
    if (array.v != nullptr && !update_array(array, rate)) *not_finite = 1;
    if (array.ema != nullptr) average_towards(array.ema, array.w, array.count, step->average_share);
  }
}

}  // namespace dk
