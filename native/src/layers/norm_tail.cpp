#include "layers/norm_tail.h"

namespace dk {

NormTail norm_tail(const LayerDef& layer) {
  NormTail tail;
  if (layer.is(LayerKind::maxpool)) {
    const MaxpoolSpec& spec = std::get<MaxpoolSpec>(layer.spec);
    tail.kind = NormTail::Kind::max_pool;
    tail.pool = {spec.size, spec.stride_x, spec.stride_y, spec.padding};
  } else if (layer.is(LayerKind::upsample)) {
    const UpsampleSpec& spec = std::get<UpsampleSpec>(layer.spec);
    tail.kind = NormTail::Kind::upsample;
    tail.stride = spec.stride, tail.scale = spec.scale;
  }
  return tail;
}

}  // namespace dk
