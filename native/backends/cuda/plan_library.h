// The plans of a back end's convolutions: made once for each graph, shared by all layers and sizes that ask for it again, and
// what was found out about them kept for the next run (plan_cache.h). Kernels that must be compiled first take seconds each:
// threads in the background do that, and until then the caller does without.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "cuda/context.h"
#include "cuda/conv_graphs.h"
#include "cuda/plan_cache.h"

namespace dk::cuda {

// The most scratch memory a plan may want.
constexpr int64_t kPlanWorkspace = int64_t{256} << 20;

// What there is for one graph. Only the thread that issues operations goes from `ready` to `settled`.
struct PlanEntry {
  enum class State { making, ready, settled };
  std::string key;
  ConvDesc desc;
  ConvGraph graph;
  bool compiled = false;
  std::atomic<State> state = State::making;
  std::vector<CudnnPlan> plans;       // once ready: best first by cuDNN's own judgement
  const CudnnPlan* chosen = nullptr;  // once settled; null: this graph is better not used
};

class PlanLibrary {
 public:
  explicit PlanLibrary(const Context& context);
  ~PlanLibrary();
  PlanLibrary(const PlanLibrary&) = delete;
  PlanLibrary& operator=(const PlanLibrary&) = delete;

  cudnnHandle_t handle() const { return handle_; }
  int64_t generation() const { return generation_; }

  // The entry lives as long as the library. compiled: kernels are compiled for it, in the background.
  PlanEntry& entry(const ConvDesc& desc, const ConvGraph& graph, bool compiled);
  // choice: a number of entry.plans, or -1. remember: also for the next run.
  void settle(PlanEntry* entry, int choice, bool remember);

 private:
  bool recall(PlanEntry* entry);
  void make(PlanEntry* entry, cudnnHandle_t handle) const;
  void work();

  const Context& context_;
  cudnnHandle_t handle_ = nullptr;
  PlanCache cache_;
  std::map<std::string, std::unique_ptr<PlanEntry>> entries_;  // of the thread that issues operations
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<PlanEntry*> queue_;
  int busy_ = 0;
  bool stop_ = false;
  std::atomic<int64_t> generation_ = 0;
  std::vector<std::thread> threads_;
};

}  // namespace dk::cuda
