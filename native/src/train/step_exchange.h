// What the processes of one training tell each other in a step, so that each of them ends it with what a single process would
// have that does all mini-batches one after the other: the sum of the gradients, the rolling statistics, the figures of the loss.
// Where a process is alone nothing happens here.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "backend/backend.h"
#include "layers/yolo_head.h"
#include "model/network_def.h"
#include "model/param_store.h"
#include "parallel/communicator.h"

namespace dk {

class StepExchange {
 public:
  // The arguments outlive it, but for def.
  StepExchange(Communicator& processes, Backend& backend, const ParamStore& store, const NetworkDef& def);

  void begin();
  // After each mini-batch: what batch norm found in it is kept.
  void add_mini_batch();
  // To be called after a layer's backward pass of the last mini-batch, from the last layer to the first: gradients are on their
  // way as soon as enough of them are complete.
  const std::function<void(int)>* layer_done() const { return processes_.alone() ? nullptr : &layer_done_; }

  // Returns when gradients and rolling statistics are those of the whole step. def: of the size that was trained at.
  void finish(const NetworkDef& def, int mini_batch);
  // The figures of this process's mini-batches to those of the whole step, in order.
  std::vector<YoloStats> gather(std::span<const YoloStats> own);

 private:
  void find_first_gradients(const NetworkDef& def);
  void join_devices();
  void send_from(int64_t first);
  void roll_statistics(const NetworkDef& def, int mini_batch);

  Communicator& processes_;
  Backend& backend_;
  const ParamStore& store_;
  const std::function<void(int)> layer_done_;
  int64_t bucket_floats_ = 0;
  std::vector<int64_t> layer_first_;  // from here on gradients are complete when a layer's backward pass is done
  std::unique_ptr<DeviceGroup> devices_;
  std::vector<float> staged_;  // gradients on their way, where the device's memory is not the host's and devices can't sum
  int64_t waiting_end_ = 0;    // gradients before it are not sent yet
  std::vector<float> before_, found_;  // the rolling statistics before the step; those of this process's mini-batches
};

}  // namespace dk
