// Siblings (model/siblings.h) that train as one convolution: which, and where their raw outputs lie side by side.
#include "model/planner.h"
#include "model/siblings.h"

namespace dk {

// Frozen ones stay apart: there is no backward pass to gain from.
void Planner::merge_siblings() {
  const std::vector<int> behind = siblings_behind(def_);
  for (int first = options_.frozen + 1; first < count_; ++first) {
    const int second = behind[static_cast<size_t>(first)];
    if (second < 0) continue;
    const auto merged = std::make_shared<MergedConvolution>();
    merged->first = first, merged->second = second;
    io(first).merged = io(second).merged = merged;
  }
}

// Plans the raw outputs of both at the first, from whose forward pass to whose backward pass they live, and tells each its part.
void Planner::keep_merged(int i) {
  LayerIo& own = io(i);
  MergedConvolution& merged = *own.merged;
  if (merged.first == i) {
    merged.raw = own.saved;
    merged.raw.c = merged.raw.buffer_c = layer(i).out.c + layer(merged.second).out.c;
    const Tensor& raw = merged.raw;
    const int plan = plan_bytes(backend_.tensor_bytes(raw.n, raw.c, raw.h, raw.w, raw.dtype, false));
    live(plan, i), live(plan, backward_time(i));
    point(&merged.raw, plan), point(&own.saved, plan), point(&io(merged.second).saved, plan);
  } else {
    own.saved.c_offset = merged.raw.c - own.saved.c;
  }
  own.saved.buffer_c = merged.raw.c;
}

}  // namespace dk
