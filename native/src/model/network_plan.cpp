#include "model/network_plan.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "core/status.h"

namespace dk {
namespace {

constexpr int64_t kAlignment = 64;
constexpr int64_t kMaxBufferBytes = int64_t{1} << 46;

// The output of a layer: some channels of a value buffer.
struct Value {
  int buffer = -1;
  int c_offset = 0, c = 0;
};

// A buffer of outputs; its deltas have the same geometry.
struct ValueBuffer {
  int c = 0, h = 0, w = 0;
  bool planar = false;
  int plan = -1;         // index of the planned buffer of the outputs
  int delta_plan = -1;   // of the deltas
  int merged_into = -1;  // concatenation: all values were moved into that buffer
  int delta_of = -1;     // deltas lie in that buffer's deltas (residual chains)
};

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

// Builds one NetworkPlan; thrown away afterwards.
class Planner {
 public:
  Planner(const NetworkDef& def, const std::vector<std::unique_ptr<Layer>>& layers, Backend& backend, const PlanOptions& options,
          NetworkPlan* plan)
      : def_(def), layers_(layers), backend_(backend), options_(options), plan_(*plan),
        count_(static_cast<int>(def.layers.size())) {}

  void run() {
    plan_.io_.resize(static_cast<size_t>(count_));
    find_consumers();
    place_values();
    make_tensors();
    forward_lifetimes();
    if (options_.training) backward_lifetimes();
    int64_t workspace = 0;
    for (int i = 0; i < count_; ++i) {
      LayerIo& io = plan_.io_[static_cast<size_t>(i)];
      Layer& layer = *layers_[static_cast<size_t>(i)];
      if (io.folded && io.folded_backward) continue;
      if (!io.folded) layer.prepare(io, backend_, options_.training);
      workspace = std::max(workspace, io.folded ? 0 : layer.workspace_bytes());
      plan_.private_bytes_ += io.folded ? 0 : layer.private_bytes();
    }
    plan_.workspace_bytes_ = workspace;
    plan_.arena_bytes_ = assign_offsets(&plan_.buffers_);
  }

 private:
  const LayerDef& layer(int i) const { return def_.layers[static_cast<size_t>(i)]; }
  LayerIo& io(int i) { return plan_.io_[static_cast<size_t>(i)]; }
  Value& value(int i) { return values_[static_cast<size_t>(i + 1)]; }  // -1 is the network's input
  int backward_time(int i) const { return 2 * count_ - 1 - i; }

  void find_consumers() {
    consumers_.resize(static_cast<size_t>(count_ + 1));
    for (int i = 0; i < count_; ++i) {
      for (int input : layer(i).inputs) {
        if (input >= 0 && layer(input).is(LayerKind::yolo)) {
          bad_input("%s:%d: layer %d reads layer %d, a [yolo] layer, whose output is no feature map", def_.name.c_str(),
                    layer(i).line, i, input);
        }
        consumers_[static_cast<size_t>(input + 1)].push_back(i);
      }
    }
    has_params_.assign(static_cast<size_t>(count_ + 1), false);
    for (int i = 0; i < count_; ++i) {
      bool has = layer(i).is(LayerKind::convolutional);
      for (int input : layer(i).inputs) has = has || has_params_[static_cast<size_t>(input + 1)];
      has_params_[static_cast<size_t>(i + 1)] = has && i > options_.frozen;
    }
  }

  int new_buffer(int c, int h, int w, bool planar) {
    buffers_.push_back({c, h, w, planar});
    return static_cast<int>(buffers_.size()) - 1;
  }

  // A [shortcut] that can be added by the convolution before it.
  bool folds_into_convolution(int i) const {
    const LayerDef& s = layer(i);
    if (!s.is(LayerKind::shortcut) || std::get<ShortcutSpec>(s.spec).activation != Activation::linear) return false;
    if (s.inputs.size() != 2 || s.inputs[1] == i - 1 || !layer(i - 1).is(LayerKind::convolutional)) return false;
    if (layer(s.inputs[1]).out != s.out) return false;
    return consumers_[static_cast<size_t>(i)].size() == 1;  // of layer i - 1
  }

  void place_values() {
    values_.resize(static_cast<size_t>(count_ + 1));
    bool planar = true;
    for (int i : consumers_[0]) planar = planar && layer(i).is(LayerKind::convolutional);
    value(-1) = {new_buffer(def_.net.channels, def_.net.height, def_.net.width, planar), 0, def_.net.channels};
    for (int i = 0; i < count_; ++i) {
      const LayerDef& l = layer(i);
      const bool alias = l.is(LayerKind::yolo) || (l.is(LayerKind::dropout) && !options_.training);
      if (alias || (l.is(LayerKind::shortcut) && folds_into_convolution(i))) {
        value(i) = value(l.inputs[0]);
        io(i).folded = !l.is(LayerKind::yolo);
        io(i).folded_backward = alias && !l.is(LayerKind::yolo);
        continue;
      }
      if (l.is(LayerKind::route) && place_route(i)) {
        io(i).folded = io(i).folded_backward = true;
        continue;
      }
      value(i) = {new_buffer(l.out.c, l.out.h, l.out.w, false), 0, l.out.c};
    }
  }

  bool aligned(int c_offset, int c, int buffer_c) const {
    const int g = backend_.channel_granularity();
    return c_offset % g == 0 && (c % g == 0 || c_offset + c == buffer_c);
  }

  // True if the route is a view: an alias, a group of one layer, or a concatenation whose members write into it.
  bool place_route(int i) {
    const LayerDef& l = layer(i);
    const RouteSpec& spec = std::get<RouteSpec>(l.spec);
    if (l.inputs.size() == 1) {
      const Value from = value(l.inputs[0]);
      const Value view = {from.buffer, from.c_offset + spec.group_id * l.out.c, l.out.c};
      const ValueBuffer& buffer = buffers_[static_cast<size_t>(from.buffer)];
      if (spec.groups > 1 && (buffer.planar || !aligned(view.c_offset, view.c, buffer.c))) return false;
      value(i) = view;
      return true;
    }
    if (spec.groups > 1) return false;
    int at = 0;
    for (size_t k = 0; k < l.inputs.size(); ++k) {
      const Value v = value(l.inputs[k]);
      const ValueBuffer& buffer = buffers_[static_cast<size_t>(v.buffer)];
      if (l.inputs[k] < 0 || v.buffer == value(-1).buffer || v.c_offset != 0 || v.c != buffer.c || !aligned(at, v.c, l.out.c))
        return false;
      for (size_t m = 0; m < k; ++m) {
        if (value(l.inputs[m]).buffer == v.buffer) return false;
      }
      at += v.c;
    }
    const int joined = new_buffer(l.out.c, l.out.h, l.out.w, false);
    at = 0;
    for (int input : l.inputs) {
      const int member = value(input).buffer, channels = value(input).c;
      for (Value& v : values_) {
        if (v.buffer == member) v = {joined, v.c_offset + at, v.c};
      }
      buffers_[static_cast<size_t>(member)].merged_into = joined;
      at += channels;
    }
    value(i) = {joined, 0, l.out.c};
    return true;
  }

  int plan_bytes(int64_t bytes) {
    if (bytes < 0 || bytes > kMaxBufferBytes)
      fail(Status::memory, "%s: one tensor would take %lld bytes", def_.name.c_str(), (long long)bytes);
    PlannedBuffer buffer;
    buffer.bytes = (bytes + kAlignment - 1) / kAlignment * kAlignment;
    plan_.buffers_.push_back(buffer);
    return static_cast<int>(plan_.buffers_.size()) - 1;
  }

  int plan_tensor(const ValueBuffer& b) {
    return plan_bytes(backend_.tensor_bytes(options_.batch, b.c, b.h, b.w, options_.dtype, b.planar));
  }

  void live(int plan, int time) {
    PlannedBuffer& buffer = plan_.buffers_[static_cast<size_t>(plan)];
    buffer.first = buffer.first < 0 ? time : std::min(buffer.first, time);
    buffer.last = std::max(buffer.last, time);
  }

  Tensor view(const Value& v) const {
    const ValueBuffer& b = buffers_[static_cast<size_t>(v.buffer)];
    Tensor t;
    t.dtype = options_.dtype;
    t.n = options_.batch, t.c = v.c, t.h = b.h, t.w = b.w;
    t.buffer_c = b.c, t.c_offset = v.c_offset, t.planar = b.planar;
    return t;
  }

  void point(Tensor* tensor, int plan) { plan_.tensors_.emplace_back(tensor, plan); }

  void make_tensors() {
    for (ValueBuffer& b : buffers_) {
      if (b.merged_into < 0) b.plan = plan_tensor(b);
    }
    plan_.input_ = view(value(-1));
    point(&plan_.input_, buffers_[static_cast<size_t>(value(-1).buffer)].plan);
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
      l.din.resize(l.in.size());
      l.din_accumulate.assign(l.in.size(), 0);
      for (size_t k = 0; k < l.in.size(); ++k) l.din[k] = l.in[k];
      l.dout = l.out;
      if (i + 1 < count_ && layer(i + 1).is(LayerKind::shortcut) && io(i + 1).folded) {
        const Value from = value(layer(i + 1).inputs[1]);
        l.residual = view(from);
        point(&l.residual, plan_of(from));
      }
    }
  }

  int plan_of(const Value& v) const { return buffers_[static_cast<size_t>(v.buffer)].plan; }

  void forward_lifetimes() {
    live(plan_of(value(-1)), 0);
    for (int i = 0; i < count_; ++i) {
      LayerIo& l = io(i);
      if (l.folded) continue;
      const LayerNeeds needs = layers_[static_cast<size_t>(i)]->needs(l, backend_, options_.training);
      live(plan_of(value(i)), i);
      for (int input : layer(i).inputs) {
        live(plan_of(value(input)), i);
        if (needs.inputs_in_backward && i > options_.frozen) live(plan_of(value(input)), backward_time(i));
      }
      if (l.residual.c > 0) live(plan_of(value(layer(i + 1).inputs[1])), i);
      const int until = i > options_.frozen ? backward_time(i) : i;
      if (needs.saved) {
        l.saved = l.out;
        l.saved.buffer_c = l.out.c, l.saved.c_offset = 0;
        const int plan = plan_bytes(backend_.tensor_bytes(options_.batch, l.out.c, l.out.h, l.out.w, options_.dtype, false));
        live(plan, i), live(plan, until);
        point(&l.saved, plan);
      }
      if (needs.index_bytes > 0) {
        const int plan = plan_bytes(needs.index_bytes);
        live(plan, i), live(plan, until);
        plan_.raw_.emplace_back(&l.index, plan);
      }
    }
  }

  // --- backward: who writes which channels of which deltas first ---

  int delta_root(int buffer) const {
    while (buffers_[static_cast<size_t>(buffer)].delta_of >= 0) buffer = buffers_[static_cast<size_t>(buffer)].delta_of;
    return buffer;
  }

  int delta_plan(int buffer) {
    ValueBuffer& root = buffers_[static_cast<size_t>(delta_root(buffer))];
    if (root.delta_plan < 0) root.delta_plan = plan_tensor(root);
    return root.delta_plan;
  }

  using Ranges = std::vector<std::pair<int, int>>;  // written channels [begin, end), sorted, disjoint
  Ranges& written(int buffer) { return written_[delta_root(buffer)]; }

  static Ranges missing(const Ranges& have, int begin, int end) {
    Ranges out;
    int at = begin;
    for (const auto& [b, e] : have) {
      if (e <= at || b >= end) continue;
      if (b > at) out.emplace_back(at, b);
      at = std::max(at, e);
    }
    if (at < end) out.emplace_back(at, end);
    return out;
  }

  void add_range(Ranges* have, int begin, int end) {
    have->emplace_back(begin, end);
    std::sort(have->begin(), have->end());
    Ranges merged;
    for (const auto& range : *have) {
      if (!merged.empty() && range.first <= merged.back().second) {
        merged.back().second = std::max(merged.back().second, range.second);
      } else {
        merged.push_back(range);
      }
    }
    *have = merged;
  }

  // Clears, before layer i's backward, the channels of v's deltas that nobody has written.
  void clear_missing(int i, const Value& v) {
    const Ranges holes = missing(written(v.buffer), v.c_offset, v.c_offset + v.c);
    for (const auto& [begin, end] : holes) {
      pending_zero_.push_back({i, Value{v.buffer, begin, end - begin}});
      add_range(&written(v.buffer), begin, end);
    }
    live(delta_plan(v.buffer), backward_time(i));
  }

  // Layer i writes the deltas of v; returns whether it must add. `whole`: it writes every element.
  bool write(int i, const Value& v, bool whole) {
    const Ranges holes = missing(written(v.buffer), v.c_offset, v.c_offset + v.c);
    live(delta_plan(v.buffer), backward_time(i));
    if (whole && holes.size() == 1 && holes[0] == std::pair(v.c_offset, v.c_offset + v.c)) {
      add_range(&written(v.buffer), v.c_offset, v.c_offset + v.c);
      return false;
    }
    clear_missing(i, v);
    return true;
  }

  // A folded shortcut hands its delta on to `from`. Where nobody has written there yet, and both are whole buffers, the two
  // deltas are one memory: the convolution reads it before any other layer adds to it.
  bool share_delta(int i) {
    const Value from = value(layer(i).inputs[1]), own = value(i);
    if (buffers_[static_cast<size_t>(from.buffer)].planar || delta_root(from.buffer) == delta_root(own.buffer)) return false;
    const ConvolutionalSpec& conv = layer(i - 1).conv();
    if (!conv.batch_normalize && conv.activation == Activation::linear) return false;  // it would read what it adds to
    const auto whole = [&](const Value& v) { return v.c_offset == 0 && v.c == buffers_[static_cast<size_t>(v.buffer)].c; };
    if (!whole(from) || !whole(own) || !written(from.buffer).empty()) return false;
    if (buffers_[static_cast<size_t>(delta_root(from.buffer))].delta_plan >= 0) return false;
    buffers_[static_cast<size_t>(delta_root(from.buffer))].delta_of = delta_root(own.buffer);
    return true;
  }

  void backward_lifetimes() {
    std::vector<std::vector<char>> wanted(static_cast<size_t>(count_));
    for (int i = count_ - 1; i > options_.frozen; --i) {
      const LayerDef& l = layer(i);
      LayerIo& own = io(i);
      wanted[static_cast<size_t>(i)].assign(l.inputs.size(), 0);
      if (l.onlyforward || (own.folded && own.folded_backward)) continue;
      if (!l.is(LayerKind::yolo)) clear_missing(i, value(i));
      for (size_t k = 0; k < l.inputs.size(); ++k) {
        const int input = l.inputs[k];
        if (input < 0 || !has_params_[static_cast<size_t>(input + 1)]) continue;
        if (own.folded && k == 0) continue;  // a folded shortcut's first input shares its delta
        if (own.folded && share_delta(i)) {
          live(delta_plan(value(i).buffer), backward_time(i));
          own.folded_backward = true;
          continue;
        }
        wanted[static_cast<size_t>(i)][k] = 1;
        const bool partial = (l.is(LayerKind::route) && std::get<RouteSpec>(l.spec).groups > 1) ||
                             (l.is(LayerKind::shortcut) && layer(input).out.c > l.out.c);
        own.din_accumulate[k] = write(i, value(input), !partial) ? 1 : 0;
      }
    }
    for (int i = 0; i < count_; ++i) {
      LayerIo& own = io(i);
      if (i <= options_.frozen) continue;
      if (!layer(i).is(LayerKind::yolo) && has_delta(value(i))) point(&own.dout, delta_plan(value(i).buffer));
      for (size_t k = 0; k < own.din.size(); ++k) {
        if (wanted[static_cast<size_t>(i)][k]) point(&own.din[k], delta_plan(value(layer(i).inputs[k]).buffer));
      }
    }
    point_zeroes();
  }

  bool has_delta(const Value& v) const { return buffers_[static_cast<size_t>(delta_root(v.buffer))].delta_plan >= 0; }

  void point_zeroes() {
    std::map<int, size_t> needed;
    for (const auto& [i, v] : pending_zero_) ++needed[i];
    for (const auto& [i, n] : needed) io(i).zero_first.reserve(n);
    for (const auto& [i, v] : pending_zero_) {
      io(i).zero_first.push_back(view(v));
      point(&io(i).zero_first.back(), delta_plan(v.buffer));
    }
  }

  const NetworkDef& def_;
  const std::vector<std::unique_ptr<Layer>>& layers_;
  Backend& backend_;
  const PlanOptions& options_;
  NetworkPlan& plan_;
  const int count_;
  std::vector<std::vector<int>> consumers_;
  std::vector<bool> has_params_;
  std::vector<Value> values_;
  std::vector<ValueBuffer> buffers_;
  std::map<int, Ranges> written_;
  std::vector<std::pair<int, Value>> pending_zero_;
};

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
