// MPI as a Link. Transfers are MPI's non-blocking collectives, completed by asking; messages are synchronous sends to a receive
// that every process keeps open. All of it from one thread.
#include "parallel/mpi_library.h"

#include <dlfcn.h>
#include <mpi.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "core/status.h"
#include "parallel/link.h"

namespace dk {
namespace {

constexpr size_t kLongestMessage = 4096;
constexpr int kMessageTag = 1;

void check(int result, const char* call) {
  if (result == MPI_SUCCESS) return;
  char words[MPI_MAX_ERROR_STRING] = "";
  int length = 0;
  MPI_Error_string(result, words, &length);
  fail(Status::device, "MPI: %s (%s)", words, call);
}

#define DK_MPI(call) check((call), #call)

// Our own, so that nothing else in the process can meet our messages; errors come back to us instead of ending the process.
MPI_Comm duplicate(MPI_Comm of) {
  MPI_Comm made = MPI_COMM_NULL;
  DK_MPI(MPI_Comm_dup(of, &made));
  DK_MPI(MPI_Comm_set_errhandler(made, MPI_ERRORS_RETURN));
  return made;
}

class MpiLink final : public Link {
 public:
  MpiLink() {
    // Where the parts of MPI are plug-ins, they look for the library's own symbols.
    Dl_info info{};
    if (dladdr(reinterpret_cast<const void*>(&MPI_Init_thread), &info) != 0) dlopen(info.dli_fname, RTLD_NOW | RTLD_GLOBAL);
    int given = 0;
    DK_MPI(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &given));
    DK_MPI(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN));
    data_ = duplicate(MPI_COMM_WORLD);
    messages_ = duplicate(MPI_COMM_WORLD);
    DK_MPI(MPI_Comm_rank(data_, &place_.rank));
    DK_MPI(MPI_Comm_size(data_, &place_.size));
    MPI_Comm machine = MPI_COMM_NULL;
    DK_MPI(MPI_Comm_split_type(data_, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &machine));
    DK_MPI(MPI_Comm_rank(machine, &place_.local_rank));
    DK_MPI(MPI_Comm_size(machine, &place_.local_size));
    DK_MPI(MPI_Comm_free(&machine));
    listen();
  }

  Place place() const override { return place_; }

  void start_transpose(const char* send, const std::vector<int64_t>& parts, char* receive) override {
    counts_.assign(parts.begin(), parts.end());
    first_ = firsts(counts_);
    received_counts_.assign(parts.size(), static_cast<int>(parts[static_cast<size_t>(place_.rank)]));
    received_first_ = firsts(received_counts_);
    DK_MPI(MPI_Ialltoallv(send, counts_.data(), first_.data(), MPI_BYTE, receive, received_counts_.data(), received_first_.data(),
                          MPI_BYTE, data_, &transfer_));
  }
  void start_gather(const std::vector<int64_t>& parts, char* data) override {
    counts_.assign(parts.begin(), parts.end());
    first_ = firsts(counts_);
    DK_MPI(MPI_Iallgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, data, counts_.data(), first_.data(), MPI_BYTE, data_, &transfer_));
  }
  void start_broadcast(char* data, int64_t bytes) override {
    DK_MPI(MPI_Ibcast(data, static_cast<int>(bytes), MPI_BYTE, 0, data_, &transfer_));
  }
  bool done() override {
    int done = 0;
    DK_MPI(MPI_Test(&transfer_, &done, MPI_STATUS_IGNORE));
    return done != 0;
  }

  void start_message(const std::string& text, const std::vector<int>& to) override {
    message_ = text.substr(0, kLongestMessage);
    deliveries_.assign(to.size(), MPI_REQUEST_NULL);
    for (size_t i = 0; i < to.size(); ++i) {
      DK_MPI(MPI_Issend(message_.data(), static_cast<int>(message_.size()), MPI_BYTE, to[i], kMessageTag, messages_,
                        &deliveries_[i]));
    }
  }
  bool message_delivered() override {
    int done = 0;
    DK_MPI(MPI_Testall(static_cast<int>(deliveries_.size()), deliveries_.data(), &done, MPI_STATUSES_IGNORE));
    return done != 0;
  }
  bool hear(int* from, std::string* text) override {
    int done = 0, bytes = 0;
    MPI_Status status;
    DK_MPI(MPI_Test(&heard_, &done, &status));
    if (done == 0) return false;
    DK_MPI(MPI_Get_count(&status, MPI_BYTE, &bytes));
    *from = status.MPI_SOURCE;
    text->assign(hearing_.data(), static_cast<size_t>(bytes));
    listen();
    return true;
  }

  void leave() override {
    DK_MPI(MPI_Cancel(&heard_));
    DK_MPI(MPI_Wait(&heard_, MPI_STATUS_IGNORE));
    DK_MPI(MPI_Finalize());
  }

 private:
  void listen() {
    DK_MPI(
        MPI_Irecv(hearing_.data(), static_cast<int>(hearing_.size()), MPI_BYTE, MPI_ANY_SOURCE, kMessageTag, messages_, &heard_));
  }

  static std::vector<int> firsts(const std::vector<int>& counts) {
    std::vector<int> firsts(counts.size(), 0);
    for (size_t i = 1; i < counts.size(); ++i) firsts[i] = firsts[i - 1] + counts[i - 1];
    return firsts;
  }

  Place place_;
  MPI_Comm data_ = MPI_COMM_NULL, messages_ = MPI_COMM_NULL;
  MPI_Request transfer_ = MPI_REQUEST_NULL, heard_ = MPI_REQUEST_NULL;
  std::vector<int> counts_, first_, received_counts_, received_first_;  // MPI reads them until the transfer is done
  std::string message_;
  std::vector<MPI_Request> deliveries_;
  std::vector<char> hearing_ = std::vector<char>(kLongestMessage);
};

}  // namespace
}  // namespace dk

extern "C" {

__attribute__((visibility("default"))) int32_t dk_mpi_door_version() { return DK_MPI_DOOR_VERSION; }

__attribute__((visibility("default"))) dk::Link* dk_mpi_open(char* reason, int64_t reason_size) {
  try {
    return std::make_unique<dk::MpiLink>().release();
  } catch (const std::exception& e) { std::snprintf(reason, static_cast<size_t>(reason_size), "%s", e.what()); }
  return nullptr;
}
}
