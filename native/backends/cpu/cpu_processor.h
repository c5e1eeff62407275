// What the machine's processor can do and how much of it this process may use.
#pragma once

#include <string>

namespace dk::cpu {

struct Processor {
  bool avx2 = false;    // with FMA
  bool avx512 = false;  // F, BW, DQ, VL, CD: what x86-64-v4 asks for
  bool bf16 = false;    // AVX-512 BF16
  std::string name;
};

const Processor& processor();

// Physical cores among the processors that this process may run on, not more than the control group's share of time; >= 1.
int usable_cores();

}  // namespace dk::cpu
