// The operations of backend.h as cases that any two back ends can be run through and compared on.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "backend_rig.h"

namespace dk::test {

struct OpCase {
  std::string name;
  std::function<void(Rig&)> run;
  double f32_tolerance;
  double bf16_tolerance;
};

// Relative rms error allowed. f32: one rounding is 6e-8 and a sum of K terms in f32 walks about sqrt(K) of them; the sums here
// have up to ~3000 terms (3e-6). bf16: one rounding of the result is up to 2^-9, 1.1e-3 in the mean of squares; twice that.
constexpr double kF32Tolerance = 5e-6;
constexpr double kBf16Tolerance = 2.5e-3;
constexpr double kF16Finer = 6;  // f16 has three bits more: an eighth, and some room for tensors of few values

template <class Op>
OpCase op_case(const Op& op, double f32_tolerance = kF32Tolerance, double bf16_tolerance = kBf16Tolerance) {
  return {op.name(), [op](Rig& rig) { op.run(rig); }, f32_tolerance, bf16_tolerance};
}

std::vector<OpCase> conv_cases();       // backend_cases_conv.cpp
std::vector<OpCase> norm_cases();       // backend_cases_norm.cpp: batch norm, bias and activation
std::vector<OpCase> pool_cases();       // backend_cases_pool.cpp: pooling, upsampling
std::vector<OpCase> tensor_cases();     // backend_cases_tensor.cpp: copies, products, dropout
std::vector<OpCase> parameter_cases();  // backend_cases_tensor.cpp: update with averages
std::vector<OpCase> chain_cases();      // backend_cases_chain.cpp: a few layers trained a few times

}  // namespace dk::test
