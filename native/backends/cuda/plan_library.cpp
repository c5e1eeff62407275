#include "cuda/plan_library.h"

#include <algorithm>
#include <utility>

#include "core/status.h"

namespace dk::cuda {
namespace {

constexpr size_t kBareCandidates = 4, kCompiledCandidates = 2;
constexpr const char* kApart = "apart";  // kept of a graph that is better not used

std::string machine_of(const Context& context) {
  cudaDeviceProp properties{};
  DK_CUDA(cudaGetDeviceProperties(&properties, context.device));
  int driver = 0;
  DK_CUDA(cudaDriverGetVersion(&driver));
  return strf("cuDNN %zu, driver %d, %s, compute capability %d.%d, %d multiprocessors", cudnn().get_version(), driver,
              properties.name, properties.major, properties.minor, properties.multiProcessorCount);
}

cudnnHandle_t new_handle() {
  cudnnHandle_t handle = nullptr;
  check_cudnn(cudnn().create(&handle), "open cuDNN on the card");
  return handle;
}

}  // namespace

PlanLibrary::PlanLibrary(const Context& context)
    : context_(context), handle_(new_handle()), cache_(PlanCache::default_folder(), machine_of(context)) {
  check_cudnn(cudnn().set_stream(handle_, context.stream), "stream of cuDNN");
}

PlanLibrary::~PlanLibrary() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  entries_.clear();
  cudnn().destroy(handle_);
}

// A run that must repeat itself makes its choices without a watch, and without what another run found.
PlanEntry& PlanLibrary::entry(const ConvDesc& desc, const ConvGraph& graph, bool compiled) {
  std::unique_ptr<PlanEntry>& slot = entries_[graph.key(desc)];
  if (slot != nullptr) return *slot;
  slot = std::make_unique<PlanEntry>();
  slot->key = graph.key(desc);
  slot->desc = desc;
  slot->graph = graph;
  slot->compiled = compiled;
  if (!context_.deterministic && recall(slot.get())) return *slot;
  if (!compiled || context_.deterministic) {
    make(slot.get(), handle_);
    return *slot;
  }
  const std::lock_guard lock(mutex_);
  queue_.push_back(slot.get());
  if (threads_.empty()) {
    const unsigned count = std::clamp(std::thread::hardware_concurrency() / 4, 1u, 4u);
    for (unsigned i = 0; i < count; ++i) threads_.emplace_back([this] { work(); });
  }
  wake_.notify_one();
  return *slot;
}

bool PlanLibrary::recall(PlanEntry* entry) {
  const std::optional<std::string> kept = cache_.find(entry->key);
  if (!kept) return false;
  if (*kept != kApart) {
    std::optional<CudnnPlan> plan = CudnnPlan::from_text(CudnnTarget(handle_), *kept);
    if (!plan || plan->workspace_bytes() > kPlanWorkspace) return false;
    entry->plans.push_back(std::move(*plan));
    entry->chosen = &entry->plans.front();
  }
  entry->state = PlanEntry::State::settled;
  return true;
}

void PlanLibrary::settle(PlanEntry* entry, int choice, bool remember) {
  entry->chosen = choice >= 0 ? &entry->plans[static_cast<size_t>(choice)] : nullptr;
  entry->state = PlanEntry::State::settled;
  if (!remember || context_.deterministic) return;
  const std::string text = choice >= 0 ? entry->chosen->text() : kApart;
  if (!text.empty()) cache_.keep(entry->key, text);
}

void PlanLibrary::make(PlanEntry* entry, cudnnHandle_t handle) const {
  PlanRules rules;
  rules.exact = entry->desc.dtype == DType::f32;
  rules.deterministic = context_.deterministic;
  rules.compiled = entry->compiled;
  rules.workspace_bytes = kPlanWorkspace;
  const CudnnGraph graph = conv_graph(entry->desc, entry->graph);
  entry->plans = graph.plans(CudnnTarget(handle), rules, entry->compiled ? kCompiledCandidates : kBareCandidates);
  entry->state = PlanEntry::State::ready;
}

void PlanLibrary::work() {
  // Loading a kernel must not disturb a recording that another thread makes meanwhile.
  cudaStreamCaptureMode mode = cudaStreamCaptureModeRelaxed;
  cudaThreadExchangeStreamCaptureMode(&mode);
  if (cudaSetDevice(context_.device) != cudaSuccess) return;
  cudnnHandle_t handle = nullptr;
  if (cudnn().create(&handle) != CUDNN_STATUS_SUCCESS) return;  // nothing is ever ready, and everything goes on without
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stop_ || !queue_.empty(); });
    if (stop_) break;
    PlanEntry* entry = queue_.front();
    queue_.pop_front();
    ++busy_;
    lock.unlock();
    try {
      make(entry, handle);
    } catch (const Error&) { entry->state = PlanEntry::State::ready; }  // without plans: it is done apart
    lock.lock();
    --busy_;
    if (queue_.empty() && busy_ == 0) ++generation_;
  }
  lock.unlock();
  cudnn().destroy(handle);
}

}  // namespace dk::cuda
