// The order in which the CPU back end stores convolution weights (f32, and their gradients): a matter of ConvWeightShape and
// the block size alone, and the order that oneDNN's f32 kernels read and write themselves. Also the way to other orders.
#pragma once

#include <dnnl.hpp>
#include <vector>

#include "backend/backend.h"
#include "cpu/cpu_view.h"

namespace dk::cpu {

// dense: [group][o/b][i/b][y][x][i%b][o%b], channels filled up to blocks with zeros. Groups whose channels are no multiple of
//   the block are merged into fewer, larger ones with zeros off the diagonal; that stay zero, as their gradient is kept zero.
// narrow: [o/b][y][x][i][o%b], for up to three input channels (the first layer).
// depthwise: [group/b][y][x][group%b], for one input and one output channel in a group.
enum class WeightForm { dense, narrow, depthwise };

class StoredWeights {
 public:
  StoredWeights(const ConvWeightShape& shape, int block);
  // The dense form of a narrow shape, for a convolution whose source is not planar.
  StoredWeights widened() const;

  WeightForm form() const { return form_; }
  int groups() const { return groups_; }
  int ic() const { return groups_ * group_ic_; }  // channels that oneDNN is told of
  int oc() const { return groups_ * group_oc_; }
  int64_t floats() const;
  dnnl::memory::dims dims() const;  // with the group first where there are several
  dnnl::memory::desc desc() const;
  bool merged() const { return merge_ > 1; }

  void pack(const float* host_oihw, float* stored) const;
  void unpack(const float* stored, float* host_oihw) const;
  // Sets to zero what belongs to no weight: gradients off the diagonal of merged groups.
  void clear_unused(const Context& context, float* stored) const;
  // The same weights in the widened form, and back.
  void widen(const StoredWeights& wide, const float* stored, float* stored_wide) const;
  void narrow(const StoredWeights& wide, const float* stored_wide, float* stored) const;

 private:
  template <class Visit>
  void visit(Visit visit) const;
  int64_t index(int o, int i, int place) const;  // o of all, i within the group of the shape, place = y * size + x

  ConvWeightShape shape_;
  WeightForm form_ = WeightForm::dense;
  int block_ = 16;
  int merge_ = 1;                                 // groups of the shape in one stored group
  int groups_ = 1, group_ic_ = 0, group_oc_ = 0;  // as stored
};

// Stored weights to the order (and type) that a oneDNN primitive asks for.
class WeightReorder {
 public:
  WeightReorder() = default;
  WeightReorder(const Context& context, const dnnl::engine& engine, const StoredWeights& from, const dnnl::memory::desc& to);

  bool needed() const { return way_ != Way::none; }
  int64_t bytes() const { return needed() ? static_cast<int64_t>(to_.get_size()) : 0; }
  void run(const dnnl::engine& engine, dnnl::stream& stream, const float* from, void* to) const;

 private:
  enum class Way { none, transpose, pair, transpose_pair, general };

  Context context_;
  Way way_ = Way::none;
  dnnl::memory::desc from_, to_;
  dnnl::reorder general_;
  int groups_ = 0, out_blocks_ = 0, in_blocks_ = 0;
  int64_t places_ = 0;
};

}  // namespace dk::cpu
