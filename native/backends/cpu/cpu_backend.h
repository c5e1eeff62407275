// The CPU back end: oneDNN convolutions and own vector code, channels in blocks of 16 (AVX-512) or 8.
#pragma once

#include <memory>
#include <string>

#include "backend/backend.h"

namespace dk {

enum class CpuKernels { best, avx2 };  // avx2: as a processor without AVX-512 would run, for tests

std::string cpu_description();
std::unique_ptr<Backend> make_cpu_backend(int threads, CpuKernels kernels = CpuKernels::best);  // 0 threads = one per core

}  // namespace dk
