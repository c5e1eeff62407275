// Who writes which channels of which deltas first: the first stores, later ones add, and what nobody writes is cleared. Deltas of
// a residual chain are one memory where that is proven right.
#include <algorithm>

#include "model/planner.h"

namespace dk {
namespace {

using Ranges = std::vector<std::pair<int, int>>;

Ranges missing(const Ranges& have, int begin, int end) {
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

}  // namespace

int Planner::delta_root(int buffer) const {
  while (buffers_[static_cast<size_t>(buffer)].delta_of >= 0) buffer = buffers_[static_cast<size_t>(buffer)].delta_of;
  return buffer;
}

int Planner::delta_plan(int buffer) {
  ValueBuffer& root = buffers_[static_cast<size_t>(delta_root(buffer))];
  if (root.delta_plan < 0) root.delta_plan = plan_tensor(root, options_.dtype);
  return root.delta_plan;
}

// Clears, before layer i's backward, the channels of v's deltas that nobody has written.
void Planner::clear_missing(int i, const Value& v) {
  const Ranges holes = missing(written(v.buffer), v.c_offset, v.c_offset + v.c);
  for (const auto& [begin, end] : holes) {
    pending_zero_.push_back({i, Value{v.buffer, begin, end - begin}});
    add_range(&written(v.buffer), begin, end);
  }
  live(delta_plan(v.buffer), backward_time(i));
}

// Layer i writes the deltas of v; returns whether it must add. `whole`: it writes every element.
bool Planner::write(int i, const Value& v, bool whole) {
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
bool Planner::share_delta(int i) {
  const Value from = value(layer(i).inputs[1]), own = value(i);
  if (buffer_of(from).planar || delta_root(from.buffer) == delta_root(own.buffer)) return false;
  const ConvolutionalSpec& conv = layer(i - 1).conv();
  if (!conv.batch_normalize && conv.activation == Activation::linear) return false;  // it would read what it adds to
  const auto whole = [&](const Value& v) { return v.c_offset == 0 && v.c == buffer_of(v).c; };
  if (!whole(from) || !whole(own) || !written(from.buffer).empty()) return false;
  ValueBuffer& root = buffers_[static_cast<size_t>(delta_root(from.buffer))];
  if (root.delta_plan >= 0) return false;
  root.delta_of = delta_root(own.buffer);
  return true;
}

void Planner::backward_lifetimes() {
  std::vector<std::vector<char>> wanted(static_cast<size_t>(count_));
  for (int i = count_ - 1; i > options_.frozen; --i) {
    const LayerDef& l = layer(i);
    wanted[static_cast<size_t>(i)].assign(l.inputs.size(), 0);
    if (l.onlyforward || (io(i).folded && io(i).folded_backward)) continue;
    if (!l.is(LayerKind::yolo)) clear_missing(i, value(i));
    plan_input_deltas(i, &wanted[static_cast<size_t>(i)]);
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

// Which of its inputs' deltas layer i writes, and whether it adds.
void Planner::plan_input_deltas(int i, std::vector<char>* wanted) {
  const LayerDef& l = layer(i);
  LayerIo& own = io(i);
  if (own.merged && own.merged->second == i) return;  // the first one writes them for both
  for (size_t k = 0; k < l.inputs.size(); ++k) {
    const int input = l.inputs[k];
    if (input < 0 || !has_params_[static_cast<size_t>(input + 1)]) continue;
    if (own.folded && k == 0) continue;  // a folded shortcut's first input shares its delta
    if (own.folded && share_delta(i)) {
      live(delta_plan(value(i).buffer), backward_time(i));
      own.folded_backward = true;
      continue;
    }
    (*wanted)[k] = 1;
    const bool partial = (l.is(LayerKind::route) && std::get<RouteSpec>(l.spec).groups > 1) ||
                         (l.is(LayerKind::shortcut) && layer(input).out.c > l.out.c);
    own.din_accumulate[k] = write(i, value(input), !partial) ? 1 : 0;
  }
}

void Planner::point_zeroes() {
  std::map<int, size_t> needed;
  for (const auto& [i, v] : pending_zero_) ++needed[i];
  for (const auto& [i, n] : needed) io(i).zero_first.reserve(n);
  for (const auto& [i, v] : pending_zero_) {
    io(i).zero_first.push_back(delta_view(v));
    point(&io(i).zero_first.back(), delta_plan(v.buffer));
  }
}

}  // namespace dk
