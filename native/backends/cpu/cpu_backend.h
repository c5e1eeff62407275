// The CPU back end: oneDNN convolutions and own vector code, channels in blocks of 16 (AVX-512) or 8.
#pragma once

#include <memory>
#include <string>

#include "backend/backend.h"

namespace dk {

std::string cpu_description();
std::unique_ptr<Backend> make_cpu_backend(int threads);  // 0 = one per core

}  // namespace dk
