#include "memory_ledger.h"

#include <algorithm>

namespace dk::test {
namespace {

// Between two allocations, so that what runs over the end of one is in none.
constexpr uintptr_t kGap = 1 << 20;

int64_t round_up(int64_t value, int64_t unit) { return (value + unit - 1) / unit * unit; }

uintptr_t address(const void* memory) { return reinterpret_cast<uintptr_t>(memory); }

bool same_shape(const Tensor& a, const Tensor& b) {
  return a.n == b.n && a.buffer_c == b.buffer_c && a.h == b.h && a.w == b.w && a.dtype == b.dtype && a.planar == b.planar;
}

const char* word(Content content) { return content == Content::value ? "an output" : "a delta"; }

}  // namespace

int64_t MemoryLedger::tensor_bytes(int n, int c, int h, int w, DType dtype, bool planar) const {
  const int64_t channels = planar && !rules_.planar_padded ? c : round_up(c, rules_.granularity);
  return dtype_bytes(dtype) * n * channels * h * w;
}

void* MemoryLedger::allocate(int64_t bytes) {
  const uintptr_t base = next_;
  blocks_[base] = {bytes};
  next_ = static_cast<uintptr_t>(round_up(static_cast<int64_t>(base) + bytes + static_cast<int64_t>(kGap), rules_.alignment));
  return reinterpret_cast<void*>(base);
}

void MemoryLedger::release(void* memory) {
  if (blocks_.erase(address(memory)) == 0) fault("releases what was not allocated");
}

std::string MemoryLedger::place() const {
  if (layer_ < 0) return strf("the input, %s: ", operation_);
  return strf("layer %d %s, %s: ", layer_, backward_ ? "backward" : "forward", operation_);
}

void MemoryLedger::watch(const NetworkPlan& plan, int layers) {
  plan_ = &plan;
  layers_ = layers;
  begin_operation("plan");
  const auto* block = block_of(plan.input().data);
  if (block == nullptr) {
    fault("the network's input has no memory");
    return;
  }
  arena_ = block->first;
  records_.assign(plan.buffers().size(), {});
  const std::vector<PlannedBuffer>& buffers = plan.buffers();
  for (size_t i = 0; i < buffers.size(); ++i) {
    const PlannedBuffer& a = buffers[i];
    if (a.bytes == 0 || a.first < 0) continue;
    if (a.offset % rules_.alignment != 0)
      fault("buffer %zu lies at %lld, no multiple of %lld", i, static_cast<long long>(a.offset),
            static_cast<long long>(rules_.alignment));
    if (a.offset < 0 || a.offset + a.bytes > block->second.bytes) fault("buffer %zu reaches out of the arena", i);
    for (size_t k = i + 1; k < buffers.size(); ++k) {
      const PlannedBuffer& b = buffers[k];
      const bool together = b.first <= a.last && a.first <= b.last && b.first >= 0;
      if (together && a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes)
        fault("buffers %zu (live %d to %d) and %zu (live %d to %d) overlap", i, a.first, a.last, k, b.first, b.last);
    }
  }
}

void MemoryLedger::begin_layer(int layer, bool backward) {
  layer_ = layer;
  backward_ = backward;
  time_ = layer < 0 ? 0 : backward ? 2 * layers_ - 1 - layer : layer;
  scratch_.clear();
  if (plan_ == nullptr) return;
  for (size_t i = 0; i < records_.size(); ++i) {
    const PlannedBuffer& buffer = plan_->buffers()[i];
    if (layer < 0 || time_ < buffer.first || time_ > buffer.last) records_[i] = {};
  }
}

const std::pair<const uintptr_t, MemoryLedger::Block>* MemoryLedger::block_of(const void* memory) const {
  auto after = blocks_.upper_bound(address(memory));
  if (memory == nullptr || after == blocks_.begin()) return nullptr;
  --after;
  return address(memory) < after->first + static_cast<uintptr_t>(after->second.bytes) ? &*after : nullptr;
}

bool MemoryLedger::in_block(const void* memory, int64_t bytes, const char* role) {
  const auto* block = block_of(memory);
  if (block == nullptr) {
    fault("%s lies in no allocated memory", role);
    return false;
  }
  if (static_cast<int64_t>(address(memory) - block->first) + bytes > block->second.bytes) {
    fault("%s runs over the end of its memory", role);
    return false;
  }
  return true;
}

MemoryLedger::Record* MemoryLedger::find(const void* memory, int64_t bytes, const char* role) {
  if (!in_block(memory, bytes, role)) return nullptr;
  if (plan_ == nullptr || block_of(memory)->first != arena_) return &scratch_[memory];
  const int64_t offset = static_cast<int64_t>(address(memory) - arena_);
  const std::vector<PlannedBuffer>& buffers = plan_->buffers();
  for (size_t i = 0; i < buffers.size(); ++i) {
    const PlannedBuffer& b = buffers[i];
    if (time_ < b.first || time_ > b.last || offset < b.offset || offset >= b.offset + b.bytes) continue;
    if (offset != b.offset) fault("%s begins in the middle of buffer %zu", role, i);
    if (offset + bytes > b.offset + b.bytes) fault("%s runs over the end of buffer %zu", role, i);
    return &records_[i];
  }
  fault("%s, at %lld of the arena, lies in no buffer that lives at time %d", role, static_cast<long long>(offset), time_);
  return nullptr;
}

MemoryLedger::Record* MemoryLedger::find(const Tensor& view, const char* role) {
  if (!check_view(view, role)) return nullptr;
  return find(view.data, buffer_bytes(view), role);
}

int64_t MemoryLedger::buffer_bytes(const Tensor& view) const {
  return tensor_bytes(view.n, view.buffer_c, view.h, view.w, view.dtype, view.planar);
}

bool MemoryLedger::check_view(const Tensor& t, const char* role) {
  const size_t before = faults_.size();
  if (t.n < 1 || t.c < 1 || t.h < 1 || t.w < 1) fault("%s has the shape %d x %d x %d x %d", role, t.n, t.c, t.h, t.w);
  if (t.c_offset < 0 || t.c_offset + t.c > t.buffer_c)
    fault("%s takes channels %d to %d of %d", role, t.c_offset, t.c_offset + t.c, t.buffer_c);
  if (t.planar && (t.c_offset != 0 || t.c != t.buffer_c)) fault("%s is a part of a planar tensor", role);
  const int g = rules_.granularity;
  if (t.c_offset % g != 0 || (t.c % g != 0 && t.c_offset + t.c != t.buffer_c))
    fault("%s, channels %d to %d of %d, is cut within a block of %d", role, t.c_offset, t.c_offset + t.c, t.buffer_c, g);
  if (address(t.data) % static_cast<uintptr_t>(rules_.alignment) != 0) fault("%s is not aligned", role);
  return faults_.size() == before;
}

Content MemoryLedger::read(const Tensor& view, const char* role, Content wanted) {
  return read_marks(view, 0, view.c, role, wanted);
}

Content MemoryLedger::read_channels(const Tensor& view, int first, int count, const char* role) {
  return read_marks(view, first, count, role, Content::any);
}

void MemoryLedger::write(const Tensor& view, const char* role, Content content) { write_marks(view, 0, view.c, role, content); }

void MemoryLedger::write_channels(const Tensor& view, int first, int count, const char* role, Content content, bool add) {
  if (add) read_marks(view, first, count, role, content);
  write_marks(view, first, count, role, content);
}

Content MemoryLedger::read_marks(const Tensor& view, int first, int count, const char* role, Content wanted) {
  Record* record = find(view, role);
  if (record == nullptr) return wanted;
  if (record->shape.buffer_c > 0 && !same_shape(record->shape, view)) {
    fault("%s is read in another shape than it was written in", role);
    return wanted;
  }
  Content found = wanted;
  for (int c = view.c_offset + first; c < view.c_offset + first + count; ++c) {
    const Mark mark = record->channels.empty() ? Mark{} : record->channels[static_cast<size_t>(c)];
    if (mark.operation == nullptr) {
      fault("%s: channel %d of %d is read, but nobody has written it", role, c, view.buffer_c);
      return wanted;
    }
    if (wanted != Content::any && mark.content != Content::any && mark.content != wanted) {
      fault("%s should be %s, but channel %d holds %s (written by %s of layer %d)", role, word(wanted), c, word(mark.content),
            mark.operation, mark.layer);
      return wanted;
    }
    if (found == Content::any) found = mark.content;
  }
  return found;
}

void MemoryLedger::write_marks(const Tensor& view, int first, int count, const char* role, Content content) {
  Record* record = find(view, role);
  if (record == nullptr) return;
  if (record->shape.buffer_c > 0 && !same_shape(record->shape, view)) {
    fault("%s is written in another shape than before", role);
    return;
  }
  record->shape = view;
  record->channels.resize(static_cast<size_t>(view.buffer_c));
  std::fill_n(record->channels.begin() + view.c_offset + first, count, Mark{operation_, layer_, content});
}

void MemoryLedger::write_or_add(const Tensor& view, const char* role, Content content, bool add) {
  if (add) read(view, role, content);
  write(view, role, content);
}

void MemoryLedger::read_raw(const void* memory, int64_t bytes, const char* role, const std::string& key) {
  const Record* record = find(memory, bytes, role);
  if (record != nullptr && record->raw_key != key)
    fault("%s was %s", role, record->raw_key.empty() ? "never written" : "written for another operation");
}

void MemoryLedger::write_raw(const void* memory, int64_t bytes, const char* role, const std::string& key) {
  Record* record = find(memory, bytes, role);
  if (record != nullptr) record->raw_key = key;
}

void MemoryLedger::array(const void* memory, int64_t bytes, const char* role) {
  if (in_block(memory, bytes, role) && plan_ != nullptr && block_of(memory)->first == arena_) fault("%s lies in the arena", role);
}

void MemoryLedger::room(const void* workspace, int64_t bytes) {
  if (bytes > 0) in_block(workspace, bytes, "workspace");
  scratch_.erase(workspace);
}

void MemoryLedger::apart(const Tensor& written, const Tensor& read, const char* role) {
  const uintptr_t a = address(written.data), b = address(read.data);
  if (a >= b + static_cast<uintptr_t>(buffer_bytes(read)) || b >= a + static_cast<uintptr_t>(buffer_bytes(written))) return;
  const bool other_channels = a == b && same_shape(written, read) &&
                              (written.c_offset + written.c <= read.c_offset || read.c_offset + read.c <= written.c_offset);
  if (!other_channels) fault("the output overlaps %s", role);
}

}  // namespace dk::test
