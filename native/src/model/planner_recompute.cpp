// Outputs that need not live from the forward pass to the backward pass, because they can be computed again from the raw output
// of their convolution, which lives anyway: one pass over memory each, in exchange for a third of the activations.
#include <algorithm>

#include "model/planner.h"

namespace dk {

// Who reads and writes each buffer, as far as the backward pass is concerned.
void Planner::find_users() {
  users_.assign(buffers_.size(), {});
  for (int i = 0; i < count_; ++i) {
    if (io(i).folded) continue;
    if (!layer(i).is(LayerKind::yolo)) users_[static_cast<size_t>(value(i).buffer)].writers.push_back(i);
    if (!runs_backward(i) || !needs_[static_cast<size_t>(i)].inputs_in_backward) continue;
    for (int input : layer(i).inputs) {
      Users& users = users_[static_cast<size_t>(value(input).buffer)];
      if (users.first_reader < 0) users.first_reader = i;
      users.last_reader = i;
    }
  }
}

void Planner::choose_recomputed() {
  // In the order they are written, so that the fate of what is added to one is known before its own.
  std::vector<int> order;
  for (size_t b = 0; b < buffers_.size(); ++b) {
    if (users_[b].last_reader >= 0 && !users_[b].writers.empty()) order.push_back(static_cast<int>(b));
  }
  const auto written_at = [&](int buffer) { return users_[static_cast<size_t>(buffer)].writers.front(); };
  std::sort(order.begin(), order.end(), [&](int a, int b) { return written_at(a) < written_at(b); });
  for (int buffer : order) {
    if (!can_recompute(buffer)) continue;
    const Users& users = users_[static_cast<size_t>(buffer)];
    ValueBuffer& again = buffers_[static_cast<size_t>(buffer)];
    again.again_plan = plan_tensor(again, again.dtype);
    live(again.again_plan, backward_time(users.last_reader));
    for (int i : users.writers) {
      io(i).out_again = io(i).out;
      point(&io(i).out_again, again.again_plan);
      io(users.last_reader).recompute.push_back(i);
    }
  }
}

// Whether every layer that writes into a buffer can do so again just before the buffer is first read in the backward pass.
bool Planner::can_recompute(int buffer) {
  const Users& users = users_[static_cast<size_t>(buffer)];
  for (int i : users.writers) {
    if (!runs_backward(i) || !needs_[static_cast<size_t>(i)].recomputes) return false;
    if (io(i).residual.c == 0) continue;
    // What is added must still be there: never computed again itself, and kept for a layer whose turn comes later.
    const int from = value(layer(i + 1).inputs[1]).buffer;
    const int needed_by = users_[static_cast<size_t>(from)].first_reader;
    if (from == buffer || buffers_[static_cast<size_t>(from)].again_plan >= 0) return false;
    if (needed_by < 0 || needed_by > users.last_reader) return false;
  }
  return true;
}

}  // namespace dk
