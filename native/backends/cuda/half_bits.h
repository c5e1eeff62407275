// Between the bits of a float and of a half (IEEE 754 binary16), as every card does it in one instruction: for the host, where
// the kernels run in tests. Rounded to the nearest, ties to even; small numbers become subnormal ones, large ones infinite.
#pragma once

#include <cstdint>

namespace dk::cuda {

constexpr uint16_t half_of_float_bits(uint32_t bits) {
  const uint32_t sign = (bits >> 16) & 0x8000u, magnitude = bits & 0x7FFFFFFFu;
  if (magnitude > 0x7F800000u) return static_cast<uint16_t>(sign | 0x7E00u);   // NaN
  if (magnitude >= 0x477FF000u) return static_cast<uint16_t>(sign | 0x7C00u);  // from 65520 on
  // The 13 bits that go, or more where the result is subnormal: its last place is worth 2^-24.
  const int exponent = static_cast<int>(magnitude >> 23) - 127;
  const bool normal = exponent >= -14;
  if (exponent < -25) return static_cast<uint16_t>(sign);
  const uint32_t shift = normal ? 13u : static_cast<uint32_t>(-1 - exponent);
  const uint32_t whole = normal ? magnitude - (112u << 23) : (magnitude & 0x7FFFFFu) | 0x800000u;
  const uint32_t kept = whole >> shift, rest = whole & ((1u << shift) - 1u), tie = 1u << (shift - 1u);
  const uint32_t up = rest > tie || (rest == tie && (kept & 1u) != 0) ? 1u : 0u;
  return static_cast<uint16_t>(sign | (kept + up));
}

constexpr uint32_t float_bits_of_half(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000u) << 16, magnitude = half & 0x7FFFu;
  if (magnitude >= 0x7C00u) return sign | 0x7F800000u | (magnitude & 0x3FFu) << 13;
  if (magnitude >= 0x400u) return sign | ((magnitude << 13) + (112u << 23));
  if (magnitude == 0) return sign;
  uint32_t mantissa = magnitude, exponent = 113;
  while ((mantissa & 0x400u) == 0) mantissa <<= 1, --exponent;
  return sign | exponent << 23 | (mantissa & 0x3FFu) << 13;
}

}  // namespace dk::cuda
