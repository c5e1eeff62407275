// Moving, scaling, multiplying and dropping of tensors, and the update of parameters.
#include "cpu/cpu_elementwise.h"

#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>

#include "math/dropout.h"

namespace dk::cpu {
namespace {

int64_t plane_size(const Tensor& t) { return static_cast<int64_t>(t.h) * t.w; }

void check_planar(const Tensor& t) { DK_ASSERT(t.data != nullptr && t.c_offset == 0 && t.c == t.buffer_c); }

// `count` floats or bf16 values, of any number, by the kernels for whole vectors.
void convert_flat(const Context& context, const void* src, DType src_type, void* dst, DType dst_type, int64_t count) {
  const auto copy = context.kernels->copy[static_cast<int>(src_type)][static_cast<int>(dst_type)];
  DK_ASSERT(copy != nullptr);
  const int64_t src_size = dtype_bytes(src_type), dst_size = dtype_bytes(dst_type), block = context.block();
  for_each_part(context, count, [&](int64_t first, int64_t part) {
    const char* from = static_cast<const char*>(src) + first * src_size;
    char* to = static_cast<char*>(dst) + first * dst_size;
    const int64_t whole = part / block, rest = part % block;
    copy(from, to, whole, 1.0f, false);
    if (rest == 0) return;
    float in[kMaxBlock] = {}, out[kMaxBlock] = {};
    std::memcpy(in, from + whole * block * src_size, rest * src_size);
    copy(in, out, 1, 1.0f, false);
    std::memcpy(to + whole * block * dst_size, out, rest * dst_size);
  });
}

// The channel values of single elements, for the operations that are not worth vectors.
struct Lanes {
  Context context;
  View v;

  float load(int image, int channel, int64_t place) const {
    const char* p = address(image, channel, place);
    if (v.dtype == static_cast<int>(DType::f32)) {
      float value;
      std::memcpy(&value, p, sizeof value);
      return value;
    }
    uint16_t half;
    std::memcpy(&half, p, sizeof half);
    const uint32_t bits = static_cast<uint32_t>(half) << 16;
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  }
  void store(int image, int channel, int64_t place, float value) const {
    char* p = address(image, channel, place);
    if (v.dtype == static_cast<int>(DType::f32)) {
      std::memcpy(p, &value, sizeof value);
      return;
    }
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    const bool nan = value != value;
    const uint16_t half = static_cast<uint16_t>(nan ? (bits >> 16) | 0x40u : (bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
    std::memcpy(p, &half, sizeof half);
  }

 private:
  char* address(int image, int channel, int64_t place) const {
    const int block = context.block();
    return static_cast<char*>(v.at(image, channel / block, place)) + channel % block * (v.vector_bytes / block);
  }
};

}  // namespace

void import_planar(const Context& context, const float* host_nchw, const Tensor& dst) {
  if (dst.planar) {
    check_planar(dst);
    return convert_flat(context, host_nchw, DType::f32, dst.data, dst.dtype, dst.count());
  }
  const View to = make_view(context, dst);
  for_each_run(context, to, [&](int image, int block, int64_t first, int64_t count) {
    const int lane = block * context.block();
    const float* planar = host_nchw + (static_cast<int64_t>(image) * to.c + lane) * to.plane + first;
    context.kernels->import_block[to.dtype](planar, to.plane, std::min(context.block(), to.c - lane), count,
                                            to.at(image, block, first));
  });
}

void export_planar(const Context& context, const Tensor& src, float* host_nchw) {
  if (src.planar) {
    check_planar(src);
    return convert_flat(context, src.data, src.dtype, host_nchw, DType::f32, src.count());
  }
  const View from = make_view(context, src);
  for_each_run(context, from, [&](int image, int block, int64_t first, int64_t count) {
    const int lane = block * context.block();
    float* planar = host_nchw + (static_cast<int64_t>(image) * from.c + lane) * from.plane + first;
    context.kernels->export_block[from.dtype](from.at(image, block, first), count, planar, from.plane,
                                              std::min(context.block(), from.c - lane));
  });
}

void fill(const Context& context, const Tensor& dst, float value) {
  if (dst.planar) {
    check_planar(dst);
    float ones[kMaxBlock];
    std::fill_n(ones, kMaxBlock, value);
    const int64_t size = dtype_bytes(dst.dtype), whole = dst.count() / context.block();
    context.kernels->spread[static_cast<int>(dst.dtype)](ones, dst.data, whole, false);
    const int64_t done = whole * context.block();
    return convert_flat(context, ones, DType::f32, static_cast<char*>(dst.data) + done * size, dst.dtype, dst.count() - done);
  }
  const View to = make_view(context, dst);
  for_each_run(context, to, [&](int image, int block, int64_t first, int64_t count) {
    float vector[kMaxBlock] = {};
    std::fill_n(vector, std::min(context.block(), to.c - block * context.block()), value);
    context.kernels->spread[to.dtype](vector, to.at(image, block, first), count, false);
  });
}

void copy_view(const Context& context, const View& src, const View& dst, float scale, bool accumulate) {
  check_same_shape(src, dst);
  const bool plain = scale == 1.0f && !accumulate && src.dtype == dst.dtype;
  const auto copy = context.kernels->copy[src.dtype][dst.dtype];
  DK_ASSERT(copy != nullptr);
  for_each_run(context, dst, [&](int image, int block, int64_t first, int64_t count) {
    const void* from = src.at(image, block, first);
    void* to = dst.at(image, block, first);
    if (plain)
      std::memmove(to, from, static_cast<size_t>(count * dst.vector_bytes));
    else
      copy(from, to, count, scale, accumulate);
  });
}

// A planar tensor of floats goes through a few vectors at a time.
void copy_planar(const Context& context, const Tensor& src, const View& dst, float scale, bool accumulate) {
  constexpr int64_t kVectors = 64;
  constexpr int kFloat = static_cast<int>(DType::f32);
  check_planar(src);
  DK_ASSERT(src.dtype == DType::f32 && src.n == dst.n && src.c == dst.c && src.h == dst.h && src.w == dst.w);
  const float* all = static_cast<const float*>(src.data);
  for_each_run(context, dst, [&](int image, int block, int64_t first, int64_t count) {
    alignas(64) float vectors[kVectors * kMaxBlock];
    const int lane = block * context.block();
    for (int64_t done = 0; done < count; done += kVectors) {
      const int64_t part = std::min(kVectors, count - done);
      const float* planar = all + (static_cast<int64_t>(image) * dst.c + lane) * dst.plane + first + done;
      context.kernels->import_block[kFloat](planar, dst.plane, std::min(context.block(), dst.c - lane), part, vectors);
      context.kernels->copy[kFloat][dst.dtype](vectors, dst.at(image, block, first + done), part, scale, accumulate);
    }
  });
}

void copy(const Context& context, const Tensor& src, const Tensor& dst, float scale, bool accumulate) {
  if (src.planar) return copy_planar(context, src, make_view(context, dst), scale, accumulate);
  copy_view(context, make_view(context, src), make_view(context, dst), scale, accumulate);
}

void copy_channels(const Context& context, const Tensor& src, int src_first, const Tensor& dst, int dst_first, int count,
                   bool accumulate) {
  DK_ASSERT(src_first >= 0 && dst_first >= 0 && count >= 0 && src_first + count <= src.c && dst_first + count <= dst.c);
  DK_ASSERT(src.n == dst.n && src.h == dst.h && src.w == dst.w);
  const Lanes from{context, make_view(context, src)}, to{context, make_view(context, dst)};
  const int64_t plane = plane_size(dst);
  // What fills up the last block belongs to no channel and stays zero.
  const int padded = dst_first + count == dst.c ? static_cast<int>(round_up(dst.c, context.block())) : 0;
  for_each_item(context, static_cast<int64_t>(dst.n) * plane, [&](int64_t item) {
    const int image = static_cast<int>(item / plane);
    const int64_t place = item % plane;
    for (int c = 0; c < count; ++c) {
      const float value = from.load(image, src_first + c, place);
      to.store(image, dst_first + c, place, accumulate ? to.load(image, dst_first + c, place) + value : value);
    }
    for (int c = dst_first + count; c < padded; ++c) to.store(image, c, place, 0.0f);
  });
}

void multiply(const Context& context, const Tensor& a, const Tensor& b, const Tensor& dst, bool accumulate) {
  const View left = make_view(context, a), right = make_view(context, b), to = make_view(context, dst);
  check_same(left, to);
  DK_ASSERT(right.n == to.n && right.c == to.c && right.dtype == to.dtype);
  const bool per_channel = right.h != to.h || right.w != to.w;
  DK_ASSERT(!per_channel || right.plane == 1);
  for_each_run(context, to, [&](int image, int block, int64_t first, int64_t count) {
    context.kernels->multiply[to.dtype](left.at(image, block, first), right.at(image, block, per_channel ? 0 : first),
                                        per_channel ? 0 : 1, to.at(image, block, first), count, accumulate);
  });
}

void multiply_reduce(const Context& context, const Tensor& a, const Tensor& b, const Tensor& dst, bool accumulate) {
  const View left = make_view(context, a), right = make_view(context, b), to = make_view(context, dst);
  check_same(left, right);
  DK_ASSERT(to.n == left.n && to.c == left.c && to.plane == 1 && to.dtype == left.dtype);
  for_each_item(context, static_cast<int64_t>(to.n) * to.blocks, [&](int64_t item) {
    const int image = static_cast<int>(item / to.blocks), block = static_cast<int>(item % to.blocks);
    double sum[kMaxBlock];
    context.kernels->sum_products[to.dtype](left.at(image, block), right.at(image, block), left.plane, sum);
    float vector[kMaxBlock];
    for (int l = 0; l < context.block(); ++l) vector[l] = static_cast<float>(sum[l]);
    context.kernels->spread[to.dtype](vector, to.at(image, block), 1, accumulate);
  });
}

void dropout(const Context& context, const Tensor& src, const DropoutKey& key, const Tensor& dst, bool accumulate) {
  const Lanes from{context, make_view(context, src)}, to{context, make_view(context, dst)};
  check_same(from.v, to.v);
  const float scale = dropout_scale(key.probability);
  const int64_t plane = plane_size(dst);
  for_each_item(context, static_cast<int64_t>(dst.n) * dst.c, [&](int64_t item) {
    const int image = static_cast<int>(item / dst.c), channel = static_cast<int>(item % dst.c);
    Philox4 block{};
    uint64_t drawn = ~uint64_t{0};
    for (int64_t place = 0; place < plane; ++place) {
      const uint64_t element = static_cast<uint64_t>(item * plane + place);
      if (element / 4 != drawn) {
        drawn = element / 4;
        block = dropout_block(key.seed, key.iteration, key.stream, drawn);
      }
      const bool kept = dropout_keeps(block.v[element % 4], key.probability);
      const float value = kept ? scale * from.load(image, channel, place) : 0.0f;
      to.store(image, channel, place, accumulate ? to.load(image, channel, place) + value : value);
    }
  });
}

bool update_array(const Context& context, const SgdArgs& array, float rate) {
  const float clip = array.clip > 0 ? array.clip : std::numeric_limits<float>::infinity();
  std::atomic<bool> finite{true};
  for_each_part(context, array.count, [&](int64_t first, int64_t count) {
    if (!context.kernels->sgd(
            {array.w + first, array.v + first, array.g + first, count, rate, array.momentum, array.decay, clip}))
      finite.store(false, std::memory_order_relaxed);
  });
  return finite.load();
}

void average_towards(const Context& context, float* ema, const float* w, int64_t count, float share) {
  for_each_part(context, count,
                [&](int64_t first, int64_t part) { context.kernels->average(ema + first, w + first, part, share); });
}

void add_floats(const Context& context, const float* src, float* dst, int64_t count) {
  DK_ASSERT(count % context.block() == 0);
  for_each_part(context, count, [&](int64_t first, int64_t part) {
    context.kernels->copy[0][0](src + first, dst + first, part / context.block(), 1.0f, true);
  });
}

void zero_bytes(const Context& context, void* memory, int64_t bytes) {
  for_each_part(context, bytes, [&](int64_t first, int64_t count) {
    std::memset(static_cast<char*>(memory) + first, 0, static_cast<size_t>(count));
  });
}

}  // namespace dk::cpu
