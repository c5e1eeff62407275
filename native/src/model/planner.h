// Builds one NetworkPlan and is thrown away: what the passes over a network's layers know and work on. Each pass is a file:
// planner_values.cpp (where outputs lie, what is a view), planner_siblings.cpp (which convolutions run as one),
// planner_recompute.cpp (which outputs are computed again for the backward pass), planner_backward.cpp (who writes which deltas
// first), network_plan.cpp (lifetimes, and the order of it all).
#pragma once

#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "model/network_plan.h"

namespace dk {

class Planner {
 public:
  Planner(const NetworkDef& def, const std::vector<std::unique_ptr<Layer>>& layers, Backend& backend, const PlanOptions& options,
          NetworkPlan* plan);

  void run();

 private:
  // The output of a layer: some channels of a value buffer.
  struct Value {
    int buffer = -1;
    int c_offset = 0, c = 0;
  };

  // A buffer of outputs; its deltas have the same geometry.
  struct ValueBuffer {
    int c = 0, h = 0, w = 0;
    bool planar = false;
    DType dtype = DType::f32;  // of the outputs; deltas are always of the network's
    int plan = -1;             // index of the planned buffer of the outputs
    int again_plan = -1;       // of the outputs computed again: a place of their own, needed only in the backward pass
    int delta_plan = -1;       // of the deltas
    int merged_into = -1;      // concatenation: all values were moved into that buffer
    int delta_of = -1;         // deltas lie in that buffer's deltas (residual chains)
  };

  // Of a value buffer: the layers that write into it, and of those that read it in their backward pass the first and the last.
  struct Users {
    std::vector<int> writers;
    int first_reader = -1, last_reader = -1;
  };

  using Ranges = std::vector<std::pair<int, int>>;  // channels [begin, end), sorted, disjoint

  const LayerDef& layer(int i) const { return def_.layers[static_cast<size_t>(i)]; }
  LayerIo& io(int i) { return plan_.io_[static_cast<size_t>(i)]; }
  Value& value(int i) { return values_[static_cast<size_t>(i + 1)]; }  // -1 is the network's input
  ValueBuffer& buffer_of(const Value& v) { return buffers_[static_cast<size_t>(v.buffer)]; }
  int plan_of(const Value& v) { return buffer_of(v).plan; }
  int backward_time(int i) const { return 2 * count_ - 1 - i; }
  bool runs_backward(int i) const { return options_.training && i > options_.frozen && !layer(i).onlyforward; }

  void prepare_layers();
  int plan_bytes(int64_t bytes);
  int plan_tensor(const ValueBuffer& b, DType dtype);
  void live(int plan, int time);
  Tensor view(const Value& v) const;
  Tensor delta_view(const Value& v) const;
  void point(Tensor* tensor, int plan) { plan_.tensors_.emplace_back(tensor, plan); }
  void make_tensors();
  void forward_lifetimes();
  void keep_own(int i);
  void keep_inputs();

  // planner_values.cpp
  void find_consumers();
  int new_buffer(int c, int h, int w, bool planar);
  bool folds_into_convolution(int i) const;
  bool folds_into_norm(int i) const;
  void place_values();
  bool aligned(int c_offset, int c, int buffer_c) const;
  bool place_route(int i);
  void join(int i);

  // planner_siblings.cpp
  void merge_siblings();
  void keep_merged(int i);

  // planner_recompute.cpp
  void find_users();
  void choose_recomputed();
  bool can_recompute(int buffer);

  // planner_backward.cpp
  int delta_root(int buffer) const;
  int delta_plan(int buffer);
  bool has_delta(const Value& v) const { return buffers_[static_cast<size_t>(delta_root(v.buffer))].delta_plan >= 0; }
  Ranges& written(int buffer) { return written_[delta_root(buffer)]; }
  void clear_missing(int i, const Value& v);
  bool write(int i, const Value& v, bool whole);
  bool share_delta(int i);
  void backward_lifetimes();
  void plan_input_deltas(int i, std::vector<char>* wanted);
  void point_zeroes();

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
  std::vector<LayerNeeds> needs_;
  std::vector<Users> users_;
  std::map<int, Ranges> written_;
  std::vector<std::pair<int, Value>> pending_zero_;
};

}  // namespace dk
