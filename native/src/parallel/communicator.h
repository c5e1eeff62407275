// The processes that share one training, as the trainer meets them: each computes its share of a step's mini-batches, sums and
// decisions are common. Every process makes the same calls in the same order. Sums are taken in the order of the processes
// whatever the way between them: with one mini-batch a process they have the bits of one process that adds one after the other.
//
// A process that fails tells the others (fail); one that dies is noticed by those on the same machine, and by the launcher. Then
// every call throws: Error with the status and words of the one that failed, or Error(device).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "core/status.h"
#include "parallel/link.h"

namespace dk {

class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual const Place& place() const = 0;
  bool first() const { return place().rank == 0; }
  bool alone() const { return place().size == 1; }

  // data = the sum over all processes, in host memory. It goes on beside the caller until finish_sums() returns.
  virtual void start_sum(float* data, int64_t count) = 0;
  virtual void finish_sums() = 0;

  // `bytes` of each process, in their order, to all.
  virtual void gather(const void* mine, int64_t bytes, void* all) = 0;
  virtual void broadcast(void* data, int64_t bytes) = 0;  // from the first process
  bool any(bool mine);

  virtual void check() = 0;  // throws when another process failed or died
  // This process can't go on. Returns when the others were told; whether the first one, which has it to say, knows.
  virtual bool fail(Status status, const std::string& text) noexcept = 0;
  // All is done; returns when all processes are here. The last call.
  virtual void leave() = 0;
};

// The one process of an ordinary training.
std::unique_ptr<Communicator> make_alone();

// `open` is called, like the link it gives, in a thread that does nothing else; what it throws is thrown here.
std::unique_ptr<Communicator> make_communicator(const std::function<std::unique_ptr<Link>()>& open);

}  // namespace dk
