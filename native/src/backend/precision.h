// The numbers that a network computes in, by name: auto, f32, bf16, f16.
#pragma once

#include <optional>
#include <string>

#include "backend/backend.h"

namespace dk {

// Null for auto. Throws Error(bad_input) naming the option for another word.
std::optional<DType> parse_precision(const char* option, const std::string& name);

// What was asked for, or what suits the device. Throws Error(device) where it can't.
DType choose_dtype(const std::optional<DType>& asked, const Backend& backend);

}  // namespace dk
