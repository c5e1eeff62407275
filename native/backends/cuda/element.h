// What tensors are made of on the card: float, bfloat16, or half where a card has no bfloat16, read and written eight channels at
// a time (32 or 16 bytes). Arithmetic is in float; what is stored is rounded to the nearest, ties to even.
#pragma once

#include <cstdint>
#include <cstring>

#include "cuda/half_bits.h"
#include "cuda/platform.h"

namespace dk::cuda {

struct Bf16 {
  uint16_t bits;
};

struct Half {
  uint16_t bits;
};

// Channels of a tensor come in vectors of this many.
constexpr int kLanes = 8;

struct Lanes {
  float v[kLanes];
};

__host__ __device__ __forceinline__ float float_of_bits(uint32_t bits) {
#if defined(__CUDA_ARCH__)
  return __uint_as_float(bits);
#else
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
#endif
}

__host__ __device__ __forceinline__ uint32_t bits_of_float(float value) {
#if defined(__CUDA_ARCH__)
  return __float_as_uint(value);
#else
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
#endif
}

__host__ __device__ __forceinline__ float to_float(float value) { return value; }
__host__ __device__ __forceinline__ float to_float(Bf16 value) { return float_of_bits(static_cast<uint32_t>(value.bits) << 16); }

// Upper half of the bits, rounded; a NaN stays one.
__host__ __device__ __forceinline__ uint32_t bf16_bits(float value) {
  const uint32_t bits = bits_of_float(value);
  if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return (bits >> 16) | 0x40u;
  return (bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16;
}

__host__ __device__ __forceinline__ float half_value(uint32_t bits) {
#if defined(__CUDA_ARCH__)
  float value;
  asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(static_cast<unsigned short>(bits)));
  return value;
#else
  return float_of_bits(float_bits_of_half(static_cast<uint16_t>(bits)));
#endif
}

__host__ __device__ __forceinline__ uint32_t half_bits(float value) {
#if defined(__CUDA_ARCH__)
  unsigned short bits;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));
  return bits;
#else
  return half_of_float_bits(bits_of_float(value));
#endif
}

__host__ __device__ __forceinline__ float to_float(Half value) { return half_value(value.bits); }

__host__ __device__ __forceinline__ void store_one(float* to, float value) { *to = value; }
__host__ __device__ __forceinline__ void store_one(Bf16* to, float value) { to->bits = static_cast<uint16_t>(bf16_bits(value)); }

__host__ __device__ __forceinline__ void store_one(Half* to, float value) { to->bits = static_cast<uint16_t>(half_bits(value)); }

__host__ __device__ __forceinline__ Lanes load(const float* from) {
  const uint4* words = reinterpret_cast<const uint4*>(from);
  const uint4 a = words[0], b = words[1];
  return Lanes{{float_of_bits(a.x), float_of_bits(a.y), float_of_bits(a.z), float_of_bits(a.w), float_of_bits(b.x),
                float_of_bits(b.y), float_of_bits(b.z), float_of_bits(b.w)}};
}

__host__ __device__ __forceinline__ Lanes load(const Bf16* from) {
  const uint4 a = *reinterpret_cast<const uint4*>(from);
  return Lanes{{float_of_bits(a.x << 16), float_of_bits(a.x & 0xFFFF0000u), float_of_bits(a.y << 16),
                float_of_bits(a.y & 0xFFFF0000u), float_of_bits(a.z << 16), float_of_bits(a.z & 0xFFFF0000u),
                float_of_bits(a.w << 16), float_of_bits(a.w & 0xFFFF0000u)}};
}

__host__ __device__ __forceinline__ Lanes load(const Half* from) {
  const uint4 a = *reinterpret_cast<const uint4*>(from);
  return Lanes{{half_value(a.x & 0xFFFFu), half_value(a.x >> 16), half_value(a.y & 0xFFFFu), half_value(a.y >> 16),
                half_value(a.z & 0xFFFFu), half_value(a.z >> 16), half_value(a.w & 0xFFFFu), half_value(a.w >> 16)}};
}

__host__ __device__ __forceinline__ void store(float* to, const Lanes& lanes) {
  uint4* words = reinterpret_cast<uint4*>(to);
  words[0] = uint4{bits_of_float(lanes.v[0]), bits_of_float(lanes.v[1]), bits_of_float(lanes.v[2]), bits_of_float(lanes.v[3])};
  words[1] = uint4{bits_of_float(lanes.v[4]), bits_of_float(lanes.v[5]), bits_of_float(lanes.v[6]), bits_of_float(lanes.v[7])};
}

__host__ __device__ __forceinline__ void store(Bf16* to, const Lanes& lanes) {
  const auto pair = [&](int i) { return bf16_bits(lanes.v[i]) | (bf16_bits(lanes.v[i + 1]) << 16); };
  *reinterpret_cast<uint4*>(to) = uint4{pair(0), pair(2), pair(4), pair(6)};
}

__host__ __device__ __forceinline__ void store(Half* to, const Lanes& lanes) {
  const auto pair = [&](int i) { return half_bits(lanes.v[i]) | (half_bits(lanes.v[i + 1]) << 16); };
  *reinterpret_cast<uint4*>(to) = uint4{pair(0), pair(2), pair(4), pair(6)};
}

__host__ __device__ __forceinline__ Lanes zeros() { return Lanes{{0, 0, 0, 0, 0, 0, 0, 0}}; }

}  // namespace dk::cuda
