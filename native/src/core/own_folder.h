// The folder of the library or program that this code is part of: each of ours has a copy of it, and looks there for what lies
// beside.
#pragma once

#include <filesystem>

namespace dk {

std::filesystem::path own_folder();

}  // namespace dk
