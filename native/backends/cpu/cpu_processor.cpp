// Asks the processor (cpuid) and Linux (affinity, topology, control group).
#include "cpu/cpu_processor.h"

#include <cpuid.h>
#include <sched.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <set>

namespace dk::cpu {
namespace {

Processor ask_processor() {
  Processor p;
  __builtin_cpu_init();
  p.avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  p.avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
             __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512cd");
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  p.bf16 = p.avx512 && __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) && (eax & (1u << 5)) != 0;
  unsigned words[12] = {};
  bool named = true;
  for (unsigned leaf = 0; leaf < 3; ++leaf) {
    unsigned* part = &words[4 * leaf];
    named = named && __get_cpuid(0x80000002u + leaf, &part[0], &part[1], &part[2], &part[3]);
  }
  if (named) p.name.assign(reinterpret_cast<const char*>(words), strnlen(reinterpret_cast<const char*>(words), sizeof words));
  const size_t first = p.name.find_first_not_of(' '), last = p.name.find_last_not_of(' ');
  p.name = first == std::string::npos ? "x86-64 processor" : p.name.substr(first, last - first + 1);
  return p;
}

// One word for each physical core: the processors that share it, as Linux lists them.
int physical_cores(const cpu_set_t& allowed) {
  std::set<std::string> cores;
  for (int id = 0; id < CPU_SETSIZE; ++id) {
    if (!CPU_ISSET(id, &allowed)) continue;
    std::ifstream file("/sys/devices/system/cpu/cpu" + std::to_string(id) + "/topology/thread_siblings_list");
    std::string siblings;
    if (!std::getline(file, siblings)) siblings = "alone " + std::to_string(id);
    cores.insert(siblings);
  }
  return static_cast<int>(cores.size());
}

// Processors' worth of time that the control group (version 2) grants, rounded up; 0 if it sets no limit.
int granted_cores() {
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  std::string quota;
  double period = 0;
  if (!(file >> quota >> period) || quota == "max" || period <= 0) return 0;
  const double microseconds = std::atof(quota.c_str());
  return microseconds > 0 ? static_cast<int>(std::ceil(microseconds / period)) : 0;
}

}  // namespace

const Processor& processor() {
  static const Processor asked = ask_processor();
  return asked;
}

int usable_cores() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  const int cores = sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? physical_cores(allowed) : 0;
  const int granted = granted_cores();
  return std::max(1, granted > 0 ? std::min(cores, granted) : cores);
}

}  // namespace dk::cpu
