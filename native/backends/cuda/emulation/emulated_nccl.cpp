// NCCL on the processor: communicators of one id meet, and a sum is made when the last of them has asked for it, in the order of
// their ranks. All in one thread, so that who starts a sum must not wait for it before the others have started theirs.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cuda/nccl_api.h"

namespace dk::cuda {
namespace {

struct Meeting {
  int size = 0, joined = 0;
  struct Sum {
    std::vector<float*> data;
    size_t count = 0;
    int asked = 0;
  };
  std::vector<Sum> sums;
};

struct Communicator {
  std::shared_ptr<Meeting> meeting;
  int rank = 0;
  size_t next = 0;
};

constexpr int kInvalid = 4;  // ncclInvalidArgument

std::map<std::string, std::shared_ptr<Meeting>>& meetings() {
  static std::map<std::string, std::shared_ptr<Meeting>> all;
  return all;
}

int get_version(int* version) { return *version = 22800, kNcclSuccess; }
const char* get_error_string(int result) { return result == kNcclSuccess ? "no error" : "invalid argument"; }

int get_unique_id(NcclId* id) {
  static int made = 0;
  std::memset(id->bytes, 0, sizeof id->bytes);
  std::memcpy(id->bytes + 100, &++made, sizeof made);  // at the far end: all of it must be handed on
  return kNcclSuccess;
}

int comm_init_rank(void** comm, int size, NcclId id, int rank) {
  std::shared_ptr<Meeting>& meeting = meetings()[std::string(id.bytes, sizeof id.bytes)];
  if (!meeting) meeting = std::make_shared<Meeting>(), meeting->size = size;
  if (rank < 0 || rank >= size || meeting->size != size || ++meeting->joined > size) return kInvalid;
  *comm = new Communicator{meeting, rank};
  return kNcclSuccess;
}

int comm_destroy(void* comm) {
  delete static_cast<Communicator*>(comm);
  return kNcclSuccess;
}

int comm_get_async_error(void*, int* result) { return *result = kNcclSuccess; }

int all_reduce(const void* send, void* receive, size_t count, int type, int operation, void* comm, cudaStream_t) {
  Communicator& own = *static_cast<Communicator*>(comm);
  if (type != kNcclFloat || operation != kNcclSum || send != receive) return kInvalid;
  std::vector<Meeting::Sum>& sums = own.meeting->sums;
  if (sums.size() == own.next) sums.push_back({std::vector<float*>(static_cast<size_t>(own.meeting->size)), count});
  Meeting::Sum& sum = sums[own.next++];
  if (sum.count != count) return kInvalid;
  sum.data[static_cast<size_t>(own.rank)] = static_cast<float*>(receive);
  if (++sum.asked < own.meeting->size) return kNcclSuccess;
  for (size_t i = 0; i < count; ++i) {
    float total = sum.data[0][i];
    for (size_t rank = 1; rank < sum.data.size(); ++rank) total += sum.data[rank][i];
    for (float* data : sum.data) data[i] = total;
  }
  return kNcclSuccess;
}

}  // namespace

const NcclApi& nccl() {
  static const NcclApi api{get_version,  get_error_string, get_unique_id,        comm_init_rank,
                           comm_destroy, comm_destroy,     comm_get_async_error, all_reduce};
  return api;
}

}  // namespace dk::cuda
