#include "train/memory_plan.h"

#include <algorithm>

#include "core/status.h"
#include "infer/detector.h"
#include "model/network.h"
#include "model/param_store.h"

namespace dk {
namespace {

constexpr double kMB = 1e6;
// Stacks, allocator slack and generated convolution code, as measured on both reference networks.
constexpr int64_t kOverhead = 24 << 20;

NetworkMemory planned_network(NetworkDef def, Backend& backend, const NetworkOptions& options, int width, int height) {
  resize_network(&def, width, height);
  return Network(def, backend, options).memory();
}

// What share of the training network's memory an evaluation may take to look at more than a single image at a time.
constexpr int64_t kEvaluationShare = 8;

void plan_evaluation(const NetworkDef& def, Backend& backend, const MemoryRequest& request, MemoryPlan* plan) {
  const int64_t staging = plan->staging;
  for (int batch = useful_batch(backend); batch >= 1; batch /= 2) {
    // Two batches on their way, and one of samples to be shown.
    const int64_t pictures = 3 * Detector::prepared_bytes(def, batch);
    plan->evaluation_batch = batch;
    plan->evaluation = Detector::planned_bytes(def, backend, batch, request.dtype) + (plan->card ? 0 : pictures);
    plan->beside = plan->card ? pictures : 0;
    plan->staging = std::max(staging, Detector::staging_bytes(def, backend, batch));
    if (plan->evaluation <= plan->network / kEvaluationShare) return;
  }
}

}  // namespace

MemoryBytes MemoryPlan::bytes() const {
  if (!card) return {base + parameters + network + evaluation + loader + checkpoint};
  return {base + loader + checkpoint + beside, device_base + parameters + network + evaluation + staging + pictures};
}

std::string MemoryPlan::describe() const {
  const auto mb = [](int64_t bytes) { return static_cast<double>(bytes) / kMB; };
  const std::string images = strf("for a mini-batch of %d%s", mini_batch, recompute ? ", activations computed twice" : "");
  const MemoryBytes needed = bytes();
  if (card) {
    return strf(
        "memory: %.0f MB of the card %s (parameters %.0f, network and evaluation %.0f, pictures %.0f, libraries %.0f), "
        "%.0f MB of the computer (images %.0f, checkpoint %.0f, evaluation %.0f, program %.0f)",
        mb(needed.device), images.c_str(), mb(parameters), mb(network + evaluation), mb(staging + pictures), mb(device_base),
        mb(needed.host), mb(loader), mb(checkpoint), mb(beside), mb(base));
  }
  return strf("memory: %.0f MB %s (parameters %.0f, network %.0f, evaluation %.0f, images %.0f, checkpoint %.0f, program %.0f)",
              mb(needed.host), images.c_str(), mb(parameters), mb(network), mb(evaluation), mb(loader), mb(checkpoint), mb(base));
}

MemoryPlan plan_memory(const NetworkDef& def, Backend& backend, int mini_batch, const MemoryRequest& request, bool recompute) {
  MemoryPlan plan;
  plan.mini_batch = mini_batch;
  plan.recompute = recompute;
  plan.card = !backend.device_memory().is_host;
  plan.base = request.base_bytes + kOverhead;
  plan.device_base = request.device_base_bytes;
  // The step remembers the statistics, in case that it is given up.
  plan.parameters = ParamStore::bytes(def, backend, {true, def.net.ema_alpha > 0}) + ParamStore::statistics_bytes(def, backend);
  if (request.loader_bytes) {
    const MemoryBytes pictures = request.loader_bytes(mini_batch);
    plan.loader = pictures.host, plan.pictures = pictures.device;
  }
  const NetworkOptions trained{true, request.dtype, mini_batch, recompute, std::max(1, def.net.batch / mini_batch)};
  const NetworkMemory network = planned_network(def, backend, trained, request.width, request.height);
  plan.network = network.total();
  // Pictures that the device draws do not pass through staging memory.
  plan.staging = plan.pictures > 0 ? 0 : network.staging;
  if (request.evaluate) plan_evaluation(def, backend, request, &plan);
  plan.checkpoint = 4 * network_param_count(def);
  return plan;
}

MemoryPlan plan_within(const NetworkDef& def, Backend& backend, int mini_batch, const MemoryRequest& request,
                       const MemoryBytes& budget) {
  const MemoryPlan kept = plan_memory(def, backend, mini_batch, request);
  if (kept.bytes().within(budget)) return kept;
  const MemoryPlan again = plan_memory(def, backend, mini_batch, request, true);
  return again.total() < kept.total() ? again : kept;
}

MemoryPlan largest_mini_batch(const NetworkDef& def, Backend& backend, int batch, const MemoryRequest& request,
                              const MemoryBytes& budget) {
  const MemoryPlan one = plan_within(def, backend, 1, request, budget);
  const int64_t needed = one.bytes().scarce(one.card), given = budget.scarce(one.card);
  for (int mini_batch = batch; mini_batch > 1; --mini_batch) {
    if (batch % mini_batch != 0) continue;
    // Activations grow with the mini-batch; half of the growth of one image is a safe lower bound to skip the hopeless.
    if (needed + one.network / 2 * (mini_batch - 1) / 2 > given + one.network) continue;
    const MemoryPlan plan = plan_within(def, backend, mini_batch, request, budget);
    if (plan.bytes().within(budget)) return plan;
  }
  return one;
}

}  // namespace dk
