#include "parallel/peer_watch.h"

#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <memory>

#include "math/fnv1a.h"

namespace dk {
namespace {

uint64_t hash_of_boot() {
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen("/proc/sys/kernel/random/boot_id", "re"), std::fclose);
  char text[64] = {};
  if (!file || std::fgets(text, sizeof text, file.get()) == nullptr) return 0;
  return fnv1a(text);
}

// A descriptor that becomes readable when the process ends, also while nobody has waited for it; -1 where there is none.
int open_process(int64_t pid) {
#ifdef SYS_pidfd_open
  return static_cast<int>(syscall(SYS_pidfd_open, static_cast<pid_t>(pid), 0));
#else
  return -1;
#endif
}

}  // namespace

PeerName own_name() {
  PeerName name;
  name.pid = getpid();
  name.kernel = hash_of_boot();
  struct stat status {};
  if (stat("/proc/self/ns/pid", &status) == 0) name.pid_namespace = status.st_ino;
  return name;
}

PeerWatch::PeerWatch(const std::vector<PeerName>& names, int own_rank) {
  const PeerName& own = names[static_cast<size_t>(own_rank)];
  for (const PeerName& name : names) {
    const bool here = own.kernel != 0 && name.kernel == own.kernel && own.pid_namespace != 0 &&
                      name.pid_namespace == own.pid_namespace && name.pid != own.pid;
    handles_.push_back(here ? open_process(name.pid) : -1);
    pids_.push_back(name.pid);
  }
}

PeerWatch::~PeerWatch() {
  for (int handle : handles_)
    if (handle >= 0) close(handle);
}

bool PeerWatch::ended(int rank) const {
  pollfd one{handles_[static_cast<size_t>(rank)], POLLIN, 0};
  return one.fd >= 0 && poll(&one, 1, 0) == 1;
}

int PeerWatch::dead() const {
  for (size_t rank = 0; rank < handles_.size(); ++rank)
    if (ended(static_cast<int>(rank))) return static_cast<int>(rank);
  return -1;
}

}  // namespace dk
