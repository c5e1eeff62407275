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

int64_t planned_network(NetworkDef def, Backend& backend, const NetworkOptions& options, int width, int height) {
  resize_network(&def, width, height);
  return Network(def, backend, options).memory().total();
}

// What share of the training network's memory an evaluation may take to look at more than a single image at a time.
constexpr int64_t kEvaluationShare = 8;

void plan_evaluation(const NetworkDef& def, Backend& backend, const MemoryRequest& request, MemoryPlan* plan) {
  for (int batch = useful_batch(backend); batch >= 1; batch /= 2) {
    plan->evaluation_batch = batch;
    plan->evaluation = Detector::planned_bytes(def, backend, batch, request.dtype);
    // Two batches on their way, and one of samples to be shown.
    if (backend.host_memory()) plan->evaluation += 3 * Detector::prepared_bytes(def, batch);
    if (plan->evaluation <= plan->network / kEvaluationShare) return;
  }
}

}  // namespace

std::string MemoryPlan::describe() const {
  return strf(
      "memory: %.0f MB for a mini-batch of %d%s (parameters %.0f, network %.0f, evaluation %.0f, images %.0f, checkpoint %.0f, "
      "program %.0f)",
      static_cast<double>(total()) / kMB, mini_batch, recompute ? ", activations computed twice" : "",
      static_cast<double>(parameters) / kMB, static_cast<double>(network) / kMB, static_cast<double>(evaluation) / kMB,
      static_cast<double>(loader) / kMB, static_cast<double>(checkpoint) / kMB, static_cast<double>(base) / kMB);
}

MemoryPlan plan_memory(const NetworkDef& def, Backend& backend, int mini_batch, const MemoryRequest& request, bool recompute) {
  MemoryPlan plan;
  plan.mini_batch = mini_batch;
  plan.recompute = recompute;
  plan.base = request.base_bytes + kOverhead;
  plan.parameters = ParamStore::bytes(def, backend, {true, def.net.ema_alpha > 0});
  plan.network = planned_network(def, backend, {true, request.dtype, mini_batch, recompute}, request.width, request.height);
  const int64_t host_weights = 4 * network_param_count(def);
  if (request.evaluate) plan_evaluation(def, backend, request, &plan);
  plan.checkpoint = host_weights;
  if (request.loader_bytes) plan.loader = request.loader_bytes(mini_batch);
  return plan;
}

MemoryPlan plan_within(const NetworkDef& def, Backend& backend, int mini_batch, const MemoryRequest& request, int64_t budget) {
  const MemoryPlan kept = plan_memory(def, backend, mini_batch, request);
  if (kept.total() <= budget) return kept;
  const MemoryPlan again = plan_memory(def, backend, mini_batch, request, true);
  return again.total() < kept.total() ? again : kept;
}

MemoryPlan largest_mini_batch(const NetworkDef& def, Backend& backend, int batch, const MemoryRequest& request, int64_t budget) {
  const MemoryPlan one = plan_within(def, backend, 1, request, budget);
  for (int mini_batch = batch; mini_batch > 1; --mini_batch) {
    if (batch % mini_batch != 0) continue;
    // Activations grow with the mini-batch; half of the growth of one image is a safe lower bound to skip the hopeless.
    if (one.total() + one.network / 2 * (mini_batch - 1) / 2 > budget + one.network) continue;
    const MemoryPlan plan = plan_within(def, backend, mini_batch, request, budget);
    if (plan.total() <= budget) return plan;
  }
  return one;
}

}  // namespace dk
