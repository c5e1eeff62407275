#include "model/network_plan.h"

#include <algorithm>
#include <numeric>

#include "core/status.h"
#include "model/planner.h"

namespace dk {
namespace {

constexpr int64_t kAlignment = 256;  // what a card wants; a processor would do with 64
constexpr int64_t kMaxBufferBytes = int64_t{1} << 46;

}  // namespace

int64_t assign_offsets(std::vector<PlannedBuffer>* buffers) {
  std::vector<size_t> order(buffers->size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return (*buffers)[a].bytes > (*buffers)[b].bytes; });
  std::vector<size_t> placed;
  int64_t total = 0;
  for (size_t index : order) {
    PlannedBuffer& buffer = (*buffers)[index];
    if (buffer.bytes == 0) continue;
    std::vector<std::pair<int64_t, int64_t>> busy;
    for (size_t other : placed) {
      const PlannedBuffer& b = (*buffers)[other];
      if (b.first <= buffer.last && buffer.first <= b.last) busy.emplace_back(b.offset, b.offset + b.bytes);
    }
    std::sort(busy.begin(), busy.end());
    int64_t best = -1, best_gap = 0, at = 0;
    for (const auto& [begin, end] : busy) {
      const int64_t gap = begin - at;
      if (gap >= buffer.bytes && (best < 0 || gap < best_gap)) best = at, best_gap = gap;
      at = std::max(at, end);
    }
    buffer.offset = best >= 0 ? best : at;
    total = std::max(total, buffer.offset + buffer.bytes);
    placed.push_back(index);
  }
  return total;
}

Planner::Planner(const NetworkDef& def, const std::vector<std::unique_ptr<Layer>>& layers, Backend& backend,
                 const PlanOptions& options, NetworkPlan* plan)
    : def_(def), layers_(layers), backend_(backend), options_(options), plan_(*plan),
      count_(static_cast<int>(def.layers.size())) {}

void Planner::run() {
  plan_.io_.resize(static_cast<size_t>(count_));
  find_consumers();
  place_values();
  if (options_.merge_siblings) merge_siblings();
  make_tensors();
  forward_lifetimes();
  if (options_.training) {
    find_users();
    if (options_.recompute) choose_recomputed();
    keep_inputs();
    backward_lifetimes();
  }
  prepare_layers();
  plan_.arena_bytes_ = assign_offsets(&plan_.buffers_);
}

void Planner::prepare_layers() {
  for (int i = 0; i < count_; ++i) {
    if (io(i).folded) continue;
    Layer& layer = *layers_[static_cast<size_t>(i)];
    layer.prepare(io(i), backend_, options_.training);
    plan_.workspace_bytes_ = std::max(plan_.workspace_bytes_, layer.workspace_bytes());
    plan_.private_bytes_ += layer.private_bytes();
  }
}

int Planner::plan_bytes(int64_t bytes) {
  if (bytes < 0 || bytes > kMaxBufferBytes)
    fail(Status::memory, "%s: one tensor would take %lld bytes", def_.name.c_str(), (long long)bytes);
  PlannedBuffer buffer;
  buffer.bytes = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  plan_.buffers_.push_back(buffer);
  return static_cast<int>(plan_.buffers_.size()) - 1;
}

int Planner::plan_tensor(const ValueBuffer& b, DType dtype) {
  return plan_bytes(backend_.tensor_bytes(options_.batch, b.c, b.h, b.w, dtype, b.planar));
}

void Planner::live(int plan, int time) {
  PlannedBuffer& buffer = plan_.buffers_[static_cast<size_t>(plan)];
  buffer.first = buffer.first < 0 ? time : std::min(buffer.first, time);
  buffer.last = std::max(buffer.last, time);
}

Tensor Planner::view(const Value& v) const {
  const ValueBuffer& b = buffers_[static_cast<size_t>(v.buffer)];
  Tensor t;
  t.dtype = b.dtype;
  t.n = options_.batch, t.c = v.c, t.h = b.h, t.w = b.w;
  t.buffer_c = b.c, t.c_offset = v.c_offset, t.planar = b.planar;
  return t;
}

Tensor Planner::delta_view(const Value& v) const {
  Tensor t = view(v);
  t.dtype = options_.dtype;
  return t;
}

void Planner::make_tensors() {
  for (ValueBuffer& b : buffers_) {
    if (b.merged_into < 0) b.plan = plan_tensor(b, b.dtype);
  }
  plan_.input_ = view(value(-1));
  point(&plan_.input_, plan_of(value(-1)));
  for (int i = 0; i < count_; ++i) {
    LayerIo& l = io(i);
    l.frozen = i <= options_.frozen;
    l.in.reserve(layer(i).inputs.size());
    for (int input : layer(i).inputs) {
      l.in.push_back(view(value(input)));
      point(&l.in.back(), plan_of(value(input)));
    }
    l.out = view(value(i));
    point(&l.out, plan_of(value(i)));
    l.din_accumulate.assign(l.in.size(), 0);
    for (int input : layer(i).inputs) l.din.push_back(delta_view(value(input)));
    l.dout = delta_view(value(i));
    if (i + 1 < count_ && layer(i + 1).is(LayerKind::shortcut) && io(i + 1).folded) {
      const Value from = value(layer(i + 1).inputs[1]);
      l.residual = view(from);
      point(&l.residual, plan_of(from));
    }
  }
}

void Planner::forward_lifetimes() {
  live(plan_of(value(-1)), 0);
  needs_.resize(static_cast<size_t>(count_));
  for (int i = 0; i < count_; ++i) {
    const LayerIo& l = io(i);
    if (l.folded) continue;
    needs_[static_cast<size_t>(i)] = layers_[static_cast<size_t>(i)]->needs(l, backend_, options_.training);
    if (options_.raw_heads && layer(i).is(LayerKind::yolo)) needs_[static_cast<size_t>(i)].floats = 0;
    live(plan_of(value(i)), i);
    for (int input : layer(i).inputs) live(plan_of(value(input)), i);
    if (options_.raw_heads && layer(i).is(LayerKind::yolo)) live(plan_of(value(i)), count_ - 1);
    if (l.residual.c > 0) live(plan_of(value(layer(i + 1).inputs[1])), i);
    keep_own(i);
  }
}

// What a layer keeps for itself until its backward pass.
void Planner::keep_own(int i) {
  LayerIo& l = io(i);
  const LayerNeeds& needs = needs_[static_cast<size_t>(i)];
  const int until = i > options_.frozen ? backward_time(i) : i;
  if (needs.saved) {
    l.saved = l.out;
    l.saved.h = layer(i).out.h, l.saved.w = layer(i).out.w;  // before a tail
    l.saved.buffer_c = l.out.c, l.saved.c_offset = 0;
    if (l.merged) {
      keep_merged(i);
    } else {
      const int plan = plan_bytes(backend_.tensor_bytes(options_.batch, l.out.c, l.saved.h, l.saved.w, options_.dtype, false));
      live(plan, i), live(plan, until);
      point(&l.saved, plan);
    }
  }
  l.floats.resize(static_cast<size_t>(needs.floats), l.out);
  for (Tensor& floats : l.floats) {
    floats.dtype = DType::f32, floats.planar = true;
    floats.buffer_c = floats.c, floats.c_offset = 0;
    const int plan = plan_bytes(backend_.tensor_bytes(options_.batch, floats.c, floats.h, floats.w, DType::f32, true));
    live(plan, i), live(plan, until);
    point(&floats, plan);
  }
  if (needs.index_bytes > 0) {
    const int plan = plan_bytes(needs.index_bytes);
    live(plan, i), live(plan, until);
    plan_.raw_.emplace_back(l.tail ? &l.tail.index : &l.index, plan);
  }
}

// Inputs that are read in the backward pass live until then, or from when they are computed again.
void Planner::keep_inputs() {
  for (int i = 0; i < count_; ++i) {
    LayerIo& l = io(i);
    if (l.folded || !runs_backward(i) || !needs_[static_cast<size_t>(i)].inputs_in_backward) continue;
    l.in_backward = l.in;
    for (size_t k = 0; k < l.in.size(); ++k) {
      const ValueBuffer& buffer = buffer_of(value(layer(i).inputs[k]));
      const int plan = buffer.again_plan >= 0 ? buffer.again_plan : buffer.plan;
      live(plan, backward_time(i));
      point(&l.in_backward[k], plan);
    }
  }
}

NetworkPlan::NetworkPlan(const NetworkDef& def, const std::vector<std::unique_ptr<Layer>>& layers, Backend& backend,
                         const PlanOptions& options) {
  Planner(def, layers, backend, options, this).run();
}

void NetworkPlan::bind(void* arena) {
  char* base = static_cast<char*>(arena);
  for (auto& [tensor, buffer] : tensors_) tensor->data = base + buffers_[static_cast<size_t>(buffer)].offset;
  for (auto& [pointer, buffer] : raw_) *pointer = base + buffers_[static_cast<size_t>(buffer)].offset;
}

}  // namespace dk
