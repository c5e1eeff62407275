// Whether the other processes of a training are alive, as far as the kernel of this machine can tell.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace dk {

// What a process tells the others of itself.
struct PeerName {
  int64_t pid = 0;
  uint64_t kernel = 0;         // of this boot of this machine
  uint64_t pid_namespace = 0;  // pids of another one mean nothing here
};

PeerName own_name();

class PeerWatch {
 public:
  // names in the order of the processes. Those of other machines and containers are not watched.
  PeerWatch(const std::vector<PeerName>& names, int own_rank);
  ~PeerWatch();
  PeerWatch(const PeerWatch&) = delete;
  PeerWatch& operator=(const PeerWatch&) = delete;

  int dead() const;  // the rank of one that has ended, or -1
  bool watches(int rank) const { return handles_[static_cast<size_t>(rank)] >= 0; }
  bool ended(int rank) const;
  int64_t pid(int rank) const { return pids_[static_cast<size_t>(rank)]; }

 private:
  std::vector<int> handles_;  // file descriptors of processes, -1 = not watched
  std::vector<int64_t> pids_;
};

}  // namespace dk
