#include "cuda/small_uploads.h"

#include <cstring>

namespace dk::cuda {

SmallUploads::SmallUploads(cudaStream_t stream) : stream_(stream) {
  for (Slot& slot : slots_) DK_CUDA(cudaHostAlloc(&slot.memory, static_cast<size_t>(kMostBytes), cudaHostAllocDefault));
}

SmallUploads::~SmallUploads() {
  cudaStreamSynchronize(stream_);
  for (Slot& slot : slots_) cudaFreeHost(slot.memory);
}

void SmallUploads::put(void* to, const void* from, int64_t bytes) {
  DK_ASSERT(bytes <= kMostBytes);
  Slot& slot = slots_[next_];
  next_ = (next_ + 1) % slots_.size();
  DK_CUDA(cudaEventSynchronize(slot.gone));  // no wait where it was never recorded
  std::memcpy(slot.memory, from, static_cast<size_t>(bytes));
  DK_CUDA(cudaMemcpyAsync(to, slot.memory, static_cast<size_t>(bytes), cudaMemcpyHostToDevice, stream_));
  DK_CUDA(cudaEventRecord(slot.gone, stream_));
}

}  // namespace dk::cuda
