// Convolutions of the CPU back end: oneDNN primitives over this back end's tensors and stored weights.
#pragma once

#include <dnnl.hpp>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "cpu/cpu_view.h"

namespace dk::cpu {

// oneDNN's handles; one of each for a back end.
struct OneDnn {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
};

std::unique_ptr<ConvPlan> make_conv_plan(const Context& context, OneDnn& dnn, const ConvDesc& desc);

// oneDNN's names of what a plan of make_conv_plan runs: forward, then (training) both ways backward to data, then to weights.
std::vector<std::string> conv_implementations(const ConvPlan& plan);

}  // namespace dk::cpu
