// Who wrote what where: the memory of a back end that holds no numbers. Addresses are handed out but nothing lies behind them;
// each channel of each planned buffer remembers whether it was written, and each access is held against the plan's own word on
// where that buffer lies and how long it lives. What is wrong is collected as sentences.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "core/status.h"
#include "model/network_plan.h"

namespace dk::test {

// How a back end lays out tensors: those of the CUDA back end; the CPU's are {16, 64, false}.
struct MemoryRules {
  int granularity = 8;        // channels that can't be parted
  int64_t alignment = 256;    // bytes, of allocations and of every buffer in the arena
  bool planar_padded = true;  // a planar buffer's channels are filled up too
};

enum class Content { any, value, delta };

class MemoryLedger {
 public:
  explicit MemoryLedger(MemoryRules rules) : rules_(rules) {}

  const MemoryRules& rules() const { return rules_; }
  int64_t tensor_bytes(int n, int c, int h, int w, DType dtype, bool planar) const;

  void* allocate(int64_t bytes);
  void release(void* memory);

  // The arena that the plan is bound to is held against it from now on; the plan itself is checked first: no two buffers that
  // live at the same time overlap, all lie in the arena, at aligned offsets.
  void watch(const NetworkPlan& plan, int layers);
  void begin_layer(int layer, bool backward);
  void begin_operation(const char* name) { operation_ = name; }

  // Every channel of the view was written, by somebody who wrote what is wanted. Returns what is there.
  Content read(const Tensor& view, const char* role, Content wanted = Content::any);
  void write(const Tensor& view, const char* role, Content content);
  // Some channels only, from any one on.
  Content read_channels(const Tensor& view, int first, int count, const char* role);
  void write_channels(const Tensor& view, int first, int count, const char* role, Content content, bool add);
  void write_or_add(const Tensor& view, const char* role, Content content, bool add);
  // The same for a buffer that is no tensor. `key` must be the same when it is read.
  void read_raw(const void* memory, int64_t bytes, const char* role, const std::string& key);
  void write_raw(const void* memory, int64_t bytes, const char* role, const std::string& key);
  // Parameters and other arrays: inside one allocation, and not in the arena.
  void array(const void* memory, int64_t bytes, const char* role);
  void room(const void* workspace, int64_t bytes);
  // The written view shares no element with the one read in the same operation.
  void apart(const Tensor& written, const Tensor& read, const char* role);

  template <typename... Args>
  void fault(const char* format, Args... args) {
    faults_.push_back(place() + strf(format, args...));
  }
  const std::vector<std::string>& faults() const { return faults_; }

 private:
  struct Mark {
    const char* operation = nullptr;
    int layer = 0;
    Content content = Content::any;
  };
  // What is known of one buffer since its life began.
  struct Record {
    Tensor shape;  // of the whole buffer; c = 0 before the first write
    std::vector<Mark> channels;
    std::string raw_key;
  };
  struct Block {
    int64_t bytes = 0;
  };

  std::string place() const;
  const std::pair<const uintptr_t, Block>* block_of(const void* memory) const;
  bool in_block(const void* memory, int64_t bytes, const char* role);
  Record* find(const void* memory, int64_t bytes, const char* role);
  Record* find(const Tensor& view, const char* role);
  int64_t buffer_bytes(const Tensor& view) const;
  bool check_view(const Tensor& view, const char* role);
  Content read_marks(const Tensor& view, int first, int count, const char* role, Content wanted);
  void write_marks(const Tensor& view, int first, int count, const char* role, Content content);

  const MemoryRules rules_;
  std::map<uintptr_t, Block> blocks_;
  uintptr_t next_ = uintptr_t{1} << 40;
  const NetworkPlan* plan_ = nullptr;
  uintptr_t arena_ = 0;
  int layers_ = 0, layer_ = -1, time_ = 0;
  bool backward_ = false;
  const char* operation_ = "";
  std::vector<Record> records_;            // of the plan's buffers
  std::map<const void*, Record> scratch_;  // outside the arena: for one layer
  std::vector<std::string> faults_;
};

}  // namespace dk::test
