// The memory of the machine and of this process, in bytes; 0 where the system does not tell.
#pragma once

#include <cstdint>

namespace dk {

int64_t total_memory();         // of the machine
int64_t available_memory();     // that the system could still give
int64_t resident_bytes();       // of this process now
int64_t peak_resident_bytes();  // of this process so far

}  // namespace dk
