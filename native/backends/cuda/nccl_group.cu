// Sums are queued on a stream of their own: behind what the back end has queued so far, beside what it queues from then on.
#include "cuda/nccl_group.h"

#include <chrono>
#include <cstring>
#include <thread>

#include "cuda/handles.h"
#include "cuda/nccl_api.h"

namespace dk::cuda {
namespace {

void check_nccl(int result, const char* what) {
  if (result != kNcclSuccess && result != kNcclInProgress)
    fail(Status::device, "NCCL: %s (%s)", nccl().get_error_string(result), what);
}

class NcclGroup final : public DeviceGroup {
 public:
  NcclGroup(const Context& context, const NcclId& id, int rank, int size) : context_(context) {
    check_nccl(nccl().comm_init_rank(&comm_, size, id, rank), "ncclCommInitRank");
  }
  ~NcclGroup() override {
    // What is still under way will never be done when another process has ended.
    if (comm_ != nullptr) under_way_ ? nccl().comm_abort(comm_) : nccl().comm_destroy(comm_);
  }
  NcclGroup(const NcclGroup&) = delete;
  NcclGroup& operator=(const NcclGroup&) = delete;

  void start_sum(float* data, int64_t count) override {
    DK_CUDA(cudaEventRecord(computed_, context_.stream));
    DK_CUDA(cudaStreamWaitEvent(stream_, computed_, 0));
    under_way_ = true;
    check_nccl(nccl().all_reduce(data, data, static_cast<size_t>(count), kNcclFloat, kNcclSum, comm_, stream_), "ncclAllReduce");
  }

  void finish(const std::function<void()>& go_on) override {
    DK_CUDA(cudaEventRecord(summed_, stream_));
    for (;;) {
      const cudaError_t state = cudaEventQuery(summed_);
      if (state == cudaSuccess) break;
      if (state != cudaErrorNotReady) check(state, "sums over the cards");
      int result = kNcclSuccess;
      check_nccl(nccl().comm_get_async_error(comm_, &result), "ncclCommGetAsyncError");
      check_nccl(result, "sums over the cards");
      go_on();
      std::this_thread::sleep_for(std::chrono::microseconds(20));
    }
    under_way_ = false;
  }

 private:
  const Context& context_;
  Stream stream_;
  Event computed_{cudaEventDisableTiming}, summed_{cudaEventDisableTiming};
  void* comm_ = nullptr;
  bool under_way_ = false;
};

}  // namespace

DeviceGroupId new_nccl_group() {
  NcclId id{};
  check_nccl(nccl().get_unique_id(&id), "ncclGetUniqueId");
  DeviceGroupId group;
  static_assert(sizeof group.bytes == sizeof id.bytes);
  std::memcpy(group.bytes, id.bytes, sizeof id.bytes);
  return group;
}

std::unique_ptr<DeviceGroup> join_nccl_group(const Context& context, const DeviceGroupId& id, int rank, int size) {
  NcclId given{};
  std::memcpy(given.bytes, id.bytes, sizeof given.bytes);
  return std::make_unique<NcclGroup>(context, given, rank, size);
}

}  // namespace dk::cuda
