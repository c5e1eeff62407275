#include "backend/precision.h"

#include "core/status.h"

namespace dk {

std::optional<DType> parse_precision(const char* option, const std::string& name) {
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) {
    if (name == dtype_name(dtype)) return dtype;
  }
  if (name != "auto") bad_input("%s %s: auto, f32, bf16 or f16", option, name.c_str());
  return std::nullopt;
}

DType choose_dtype(const std::optional<DType>& asked, const Backend& backend) {
  const DType dtype = asked.value_or(backend.best_dtype());
  if (!backend.supports(dtype)) fail(Status::device, "%s can't compute in %s", backend.name().c_str(), dtype_name(dtype));
  return dtype;
}

}  // namespace dk
