#include "train/memory_choice.h"

#include <algorithm>

#include "core/status.h"
#include "train/schedule.h"
#include "train/shared_start.h"

namespace dk {
namespace {

constexpr int kSideStep = 32;
constexpr int kSmallestSide = 64;
// Of what is free: other programs want memory too, and allocators round up.
constexpr double kHostShare = 0.9, kDeviceShare = 0.95;

double megabytes(int64_t bytes) { return static_cast<double>(bytes) / 1e6; }

double scarce_megabytes(const MemoryPlan& plan) { return megabytes(plan.bytes().scarce(plan.card)); }

// What the plan needs of the memory that does not suffice for it.
std::string shortage(const MemoryPlan& plan, const MemoryBytes& budget) {
  const MemoryBytes needed = plan.bytes();
  const bool device = needed.device > budget.device;
  const char* of = !plan.card ? "" : device ? " of the card's memory" : " of the computer's memory";
  return strf("needs %.0f MB%s, %.0f MB are there", megabytes(needed.scarce(device)), of, megabytes(budget.scarce(device)));
}

// The largest input size below the cfg's that one image at a time fits with, as words to go on with.
std::string smaller_size(const NetworkDef& def, Backend& backend, MemoryRequest request, const MemoryBytes& budget) {
  NetworkDef small = def;
  const float random = def.last_yolo()->yolo().random;
  for (int w = def.net.width - kSideStep, h = def.net.height - kSideStep; std::min(w, h) >= kSmallestSide;
       w -= kSideStep, h -= kSideStep) {
    resize_network(&small, w, h);
    const InputSize largest = largest_training_size(small.net, random);
    request.width = largest.width, request.height = largest.height;
    const MemoryPlan plan = plan_within(small, backend, 1, request, budget);
    if (plan.bytes().within(budget))
      return strf("a network size of %dx%d with subdivisions=%d (%.0f MB) would fit", w, h, def.net.batch,
                  scarce_megabytes(plan));
  }
  return "no network size would fit";
}

[[noreturn]] void refuse(const MemoryPlan& plan, const NetworkDef& def, Backend& backend, const MemoryRequest& request,
                         const MemoryBytes& budget) {
  const MemoryPlan one = plan.mini_batch == 1 ? plan : plan_within(def, backend, 1, request, budget);
  if (!one.bytes().within(budget)) {
    fail(Status::memory, "mini-batch 1 %s; %s", shortage(one, budget).c_str(),
         smaller_size(def, backend, request, budget).c_str());
  }
  const MemoryPlan fits = largest_mini_batch(def, backend, def.net.batch, request, budget);
  fail(Status::memory, "mini-batch %d %s; subdivisions=%d (mini-batch %d, %.0f MB) would fit", plan.mini_batch,
       shortage(plan, budget).c_str(), def.net.batch / fits.mini_batch, fits.mini_batch, scarce_megabytes(fits));
}

}  // namespace

MemoryBytes memory_budget(const TrainOptions& options, const Backend& backend, const Place& place) {
  const DeviceMemory device = backend.device_memory();
  const auto share = [](double of, int64_t bytes) { return static_cast<int64_t>(of * static_cast<double>(bytes)); };
  const int64_t host = share(kHostShare, resident_bytes() + available_memory() / place.local_size);
  if (device.is_host) return {options.memory_bytes > 0 ? options.memory_bytes : host};
  return {host, options.memory_bytes > 0 ? options.memory_bytes : share(kDeviceShare, device.free + backend.allocated_bytes())};
}

MemoryPlan choose_memory(const TrainOptions& options, const NetworkDef& def, Backend& backend, const MemoryRequest& request,
                         const TrainState* resumed, Communicator& processes) {
  const MemoryBytes budget = memory_budget(options, backend, processes.place());
  const bool asked = options.subdivisions > 0;
  MemoryPlan plan;
  if (resumed != nullptr) {
    const int mini_batch = asked ? def.net.mini_batch() : resumed->mini_batch;
    const int images = mini_batch * std::max(1, def.net.batch / mini_batch);
    if (images != resumed->batch) {
      bad_input("batch=%d in %d parts is %d images a step, %d when the run was stopped: a run goes on only with the same batch",
                def.net.batch, def.net.batch / mini_batch, images, resumed->batch);
    }
    plan = plan_within(def, backend, mini_batch, request, budget);
  } else if (options.auto_subdivisions) {
    // Each process takes as many at a time, and all of the batch is dealt out.
    if (def.net.batch % processes.place().size != 0) check_share(def, 1, processes.place().size);
    plan = largest_mini_batch(def, backend, def.net.batch / processes.place().size, request, budget);
    const int smallest = smallest_of_all(processes, plan.mini_batch);
    if (smallest < plan.mini_batch) plan = plan_within(def, backend, smallest, request, budget);
  } else {
    plan = plan_within(def, backend, def.net.mini_batch(), request, budget);
  }
  check_share(def, plan.mini_batch, processes.place().size);
  if (!plan.bytes().within(budget)) refuse(plan, def, backend, request, budget);
  return plan;
}

}  // namespace dk
