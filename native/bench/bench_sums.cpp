// What the sum of gradients over processes takes: `mpirun -np N dk_bench_sums [MILLION FLOATS] [TIMES]`, 6 million (about
// YOLOv4-Tiny) by default, in pieces as the trainer sends them. The median and the best.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "core/status.h"
#include "parallel/launch.h"

namespace {

double milliseconds_of(dk::Communicator& processes, std::vector<float>& gradients) {
  constexpr size_t kPieces = 8;  // as train/step_exchange.cpp
  processes.any(false);
  const auto begin = std::chrono::steady_clock::now();
  for (size_t piece = kPieces; piece-- > 0;) {
    const size_t first = gradients.size() * piece / kPieces, end = gradients.size() * (piece + 1) / kPieces;
    processes.start_sum(gradients.data() + first, static_cast<int64_t>(end - first));
  }
  processes.finish_sums();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

int main(int argc, char** argv) {
  const double millions = argc > 1 ? std::atof(argv[1]) : 6;
  const int times = argc > 2 ? std::atoi(argv[2]) : 20;
  if (millions <= 0 || times < 1) return std::fprintf(stderr, "usage: dk_bench_sums [MILLION FLOATS] [TIMES]\n"), 10;
  try {
    const auto processes = dk::join_launched();
    std::vector<float> gradients(static_cast<size_t>(millions * 1e6), 1.0f);
    std::vector<double> taken;
    for (int i = 0; i < times; ++i) taken.push_back(milliseconds_of(*processes, gradients));
    std::sort(taken.begin(), taken.end());
    if (processes->first()) {
      const double median = taken[taken.size() / 2];
      std::printf("%d processes, %.1f MB: median %.1f ms, best %.1f ms, %.1f GB/s\n", processes->place().size, 4 * millions,
                  median, taken.front(), 4 * millions / median);
    }
    processes->leave();
  } catch (const dk::Error& e) { return std::fprintf(stderr, "error: %s\n", e.what()), static_cast<int>(e.status()); }
  return 0;
}
