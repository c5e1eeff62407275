// What the back ends share whose memory is the host's own (reference, cpu): moving bytes, the [yolo] head, the way through the
// arrays of an update.
#pragma once

#include "backend/backend.h"

namespace dk {

class HostBackend : public Backend {
 public:
  void upload(void* device, const void* host, int64_t bytes) override;
  void download(void* host, const void* device, int64_t bytes) override;
  void copy_bytes(void* to, const void* from, int64_t bytes) override;

  int64_t yolo_scratch_bytes(const YoloParams&, int) const override { return 0; }
  void yolo_activate(const YoloParams& params, const Tensor& raw, const Tensor& out) override;
  void yolo_loss(const YoloHead& head, const StepValues* step, const Tensor& raw, const Tensor& out, const Tensor& delta,
                 void* scratch) override;

  void update(std::span<const SgdArgs> arrays, const StepValues* step, int32_t* not_finite) override;

 protected:
  void give_memory_back(void* memory) override;  // take_memory's is of std::aligned_alloc
  // One array of an update, with v and g. False if w is not finite afterwards.
  virtual bool update_array(const SgdArgs& array, float rate) = 0;
  virtual void average_towards(float* ema, const float* w, int64_t count, float share) = 0;  // ema = share*ema + (1-share)*w
};

}  // namespace dk
