// Where the outputs of layers lie: a buffer of their own, a view of another layer's, or some channels of a concatenation's.
#include "core/status.h"
#include "layers/norm_tail.h"
#include "model/planner.h"

namespace dk {

void Planner::find_consumers() {
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

int Planner::new_buffer(int c, int h, int w, bool planar) {
  ValueBuffer buffer;
  buffer.c = c, buffer.h = h, buffer.w = w, buffer.planar = planar, buffer.dtype = options_.dtype;
  buffers_.push_back(buffer);
  return static_cast<int>(buffers_.size()) - 1;
}

// A [shortcut] that can be added by the convolution before it.
bool Planner::folds_into_convolution(int i) const {
  const LayerDef& s = layer(i);
  if (!s.is(LayerKind::shortcut) || std::get<ShortcutSpec>(s.spec).activation != Activation::linear) return false;
  if (s.inputs.size() != 2 || s.inputs[1] == i - 1 || !layer(i - 1).is(LayerKind::convolutional)) return false;
  if (layer(s.inputs[1]).out != s.out) return false;
  return consumers_[static_cast<size_t>(i)].size() == 1;  // of layer i - 1
}

// A [maxpool] or [upsample] that the back end does together with the batch norm of the convolution before it, whose own output
// nobody else reads.
bool Planner::folds_into_norm(int i) const {
  if (i == 0 || !runs_backward(i - 1) || layer(i).onlyforward || layer(i).inputs[0] != i - 1) return false;
  if (!layer(i - 1).is(LayerKind::convolutional) || !layer(i - 1).conv().batch_normalize) return false;
  const NormTail tail = norm_tail(layer(i));
  const Dims& before = layer(i - 1).out;
  return tail && consumers_[static_cast<size_t>(i)].size() == 1 &&
         backend_.fuses(tail, layer(i - 1).conv().activation, before.h, before.w);
}

void Planner::place_values() {
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
    if (i > 0 && io(i - 1).tail) {
      value(i) = value(i - 1);
      io(i).folded = io(i).folded_backward = true;
      continue;
    }
    const bool with_tail = i + 1 < count_ && folds_into_norm(i + 1);
    const Dims& out = with_tail ? layer(i + 1).out : l.out;
    if (with_tail) io(i).tail = norm_tail(layer(i + 1));
    value(i) = {new_buffer(out.c, out.h, out.w, false), 0, out.c};
    if (def_.is_head(i)) buffer_of(value(i)).dtype = DType::f32;
  }
}

bool Planner::aligned(int c_offset, int c, int buffer_c) const {
  const int g = backend_.channel_granularity();
  return c_offset % g == 0 && (c % g == 0 || c_offset + c == buffer_c);
}

// True if the route is a view: an alias, a group of one layer, or a concatenation whose members write into it.
bool Planner::place_route(int i) {
  const LayerDef& l = layer(i);
  const RouteSpec& spec = std::get<RouteSpec>(l.spec);
  if (l.inputs.size() == 1) {
    const Value from = value(l.inputs[0]);
    const Value view = {from.buffer, from.c_offset + spec.group_id * l.out.c, l.out.c};
    const ValueBuffer& buffer = buffer_of(from);
    if (spec.groups > 1 && (buffer.planar || !aligned(view.c_offset, view.c, buffer.c))) return false;
    value(i) = view;
    return true;
  }
  if (spec.groups > 1) return false;
  int at = 0;
  for (size_t k = 0; k < l.inputs.size(); ++k) {
    const Value v = value(l.inputs[k]);
    if (l.inputs[k] < 0 || v.buffer == value(-1).buffer || v.c_offset != 0 || v.c != buffer_of(v).c || !aligned(at, v.c, l.out.c))
      return false;
    for (size_t m = 0; m < k; ++m) {
      if (value(l.inputs[m]).buffer == v.buffer) return false;
    }
    at += v.c;
  }
  join(i);
  return true;
}

// Moves the values of route i's inputs into one buffer.
void Planner::join(int i) {
  const LayerDef& l = layer(i);
  const int joined = new_buffer(l.out.c, l.out.h, l.out.w, false);
  int at = 0;
  for (int input : l.inputs) {
    const int member = value(input).buffer, channels = value(input).c;
    for (Value& v : values_) {
      if (v.buffer == member) v = {joined, v.c_offset + at, v.c};
    }
    buffers_[static_cast<size_t>(member)].merged_into = joined;
    at += channels;
  }
  value(i) = {joined, 0, l.out.c};
}

}  // namespace dk
