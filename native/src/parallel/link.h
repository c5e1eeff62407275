// What a training over several processes asks of the way between them: MPI (native/mpi), or the threads of a test. One transfer
// at a time, started and then asked for until it is done, so that who waits may sleep, listen and give up; all calls from one
// thread. Every process starts the same transfers in the same order. Failures throw dk::Error(device).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace dk {

// Which of how many processes this one is, in all and on this machine.
struct Place {
  int rank = 0, size = 1;
  int local_rank = 0, local_size = 1;
};

class Link {
 public:
  virtual ~Link() = default;
  virtual Place place() const = 0;

  // Part i of send (parts[i] bytes, one behind the other) goes to process i. In receive, the parts for this process, in the order
  // of the processes; each as long as this one's own.
  virtual void start_transpose(const char* send, const std::vector<int64_t>& parts, char* receive) = 0;
  // parts[i] bytes of process i, in the order of the processes, to all. Those of this process lie in their place already.
  virtual void start_gather(const std::vector<int64_t>& parts, char* data) = 0;
  virtual void start_broadcast(char* data, int64_t bytes) = 0;  // from process 0
  virtual bool done() = 0;                                      // the last transfer

  // A message to the processes named, at any time and beside a transfer, which need not expect it.
  virtual void start_message(const std::string& text, const std::vector<int>& to) = 0;
  virtual bool message_delivered() = 0;  // to all of them
  virtual bool hear(int* from, std::string* text) = 0;

  // The last call, by all processes; without it a link is cut.
  virtual void leave() = 0;
};

}  // namespace dk
