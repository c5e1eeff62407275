// Streams and events that go with whoever holds them, also when a constructor ends half-way.
#pragma once

#include "cuda/context.h"

namespace dk::cuda {

// Beside the default stream, without waiting for it.
class Stream {
 public:
  Stream() { DK_CUDA(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking)); }
  ~Stream() { cudaStreamDestroy(stream_); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  operator cudaStream_t() const { return stream_; }

 private:
  cudaStream_t stream_{};
};

// flags: cudaEventDisableTiming for an event that orders work and is not asked for the time, which is cheaper.
class Event {
 public:
  explicit Event(unsigned flags) { DK_CUDA(cudaEventCreateWithFlags(&event_, flags)); }
  ~Event() { cudaEventDestroy(event_); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  operator cudaEvent_t() const { return event_; }

 private:
  cudaEvent_t event_{};
};

constexpr unsigned kTimed = 0;

}  // namespace dk::cuda
