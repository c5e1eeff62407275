#include "core/host_memory.h"

#include <sys/resource.h>

#include <cstdio>
#include <cstring>

namespace dk {
namespace {

int64_t number_after(const char* path, const char* key) {
  FILE* file = std::fopen(path, "re");
  if (file == nullptr) return 0;
  char line[256];
  long long value = 0;
  while (std::fgets(line, sizeof line, file) != nullptr) {
    if (std::strncmp(line, key, std::strlen(key)) == 0 && std::sscanf(line + std::strlen(key), " %lld", &value) == 1) break;
  }
  std::fclose(file);
  return value * 1024;  // the kernel counts in kB
}

}  // namespace

int64_t resident_bytes() { return number_after("/proc/self/status", "VmRSS:"); }
int64_t total_memory() { return number_after("/proc/meminfo", "MemTotal:"); }
int64_t available_memory() { return number_after("/proc/meminfo", "MemAvailable:"); }

int64_t peak_resident_bytes() {
  struct rusage usage {};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<int64_t>(usage.ru_maxrss) * 1024;
}

}  // namespace dk
