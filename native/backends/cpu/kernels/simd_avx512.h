// Sixteen float lanes of AVX-512, for the templates in *.inl. Only kernels_avx512.cpp includes this: the namespace keeps its
// code apart from that of other instruction sets. The interface is the same as in simd_avx2.h; bf16 exists here alone.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace dk::cpu::avx512 {

constexpr int kLanes = 16;

struct Bf16 {
  uint16_t bits;
};

struct Vf {
  __m512 v;
};
struct Vi {
  __m512i v;
};
struct Mask {
  __mmask16 v;
};

inline Vf set1(float x) { return {_mm512_set1_ps(x)}; }
inline Vf zero() { return {_mm512_setzero_ps()}; }
inline Vf load(const float* p) { return {_mm512_loadu_ps(p)}; }
inline Vf load(const Bf16* p) {
  const __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  return {_mm512_castsi512_ps(_mm512_slli_epi32(wide, 16))};
}
inline void store(float* p, Vf x) { _mm512_storeu_ps(p, x.v); }
inline void store(Bf16* p, Vf x) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), (__m256i)_mm512_cvtneps_pbh(x.v)); }
inline void stream(float* p, Vf x) { _mm512_stream_ps(p, x.v); }
inline void stream(Bf16* p, Vf x) { _mm256_stream_si256(reinterpret_cast<__m256i*>(p), (__m256i)_mm512_cvtneps_pbh(x.v)); }
// After the last stream(): what was written is then seen by other threads in order.
inline void stream_end() { _mm_sfence(); }

inline Vf operator+(Vf a, Vf b) { return {_mm512_add_ps(a.v, b.v)}; }
inline Vf operator-(Vf a, Vf b) { return {_mm512_sub_ps(a.v, b.v)}; }
inline Vf operator*(Vf a, Vf b) { return {_mm512_mul_ps(a.v, b.v)}; }
inline Vf fma(Vf a, Vf b, Vf c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }    // a*b + c
inline Vf fnma(Vf a, Vf b, Vf c) { return {_mm512_fnmadd_ps(a.v, b.v, c.v)}; }  // c - a*b
// Of a NaN and a number these give b, so keep the data in b.
inline Vf min(Vf a, Vf b) { return {_mm512_min_ps(a.v, b.v)}; }
inline Vf max(Vf a, Vf b) { return {_mm512_max_ps(a.v, b.v)}; }
inline Vf lane_and(Vf a, Vf bits) { return {_mm512_and_ps(a.v, bits.v)}; }
inline Vf round(Vf a) { return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)}; }
// p * 2^n for whole n; overflows to infinity and underflows to zero.
inline Vf scale_by_power(Vf p, Vf n) { return {_mm512_scalef_ps(p.v, n.v)}; }
// 1/a to rounding, for normal a: an estimate of 14 bits and one Newton step.
inline Vf reciprocal(Vf a) {
  const __m512 estimate = _mm512_rcp14_ps(a.v);
  return {_mm512_fmadd_ps(estimate, _mm512_fnmadd_ps(a.v, estimate, _mm512_set1_ps(1.0f)), estimate)};
}
inline Vf rough_reciprocal(Vf a) { return {_mm512_rcp14_ps(a.v)}; }

inline Mask greater(Vf a, Vf b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_GT_OQ)}; }
inline Mask greater_equal(Vf a, Vf b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_GE_OQ)}; }
inline Vf select(Mask m, Vf yes, Vf no) { return {_mm512_mask_blend_ps(m.v, no.v, yes.v)}; }

inline Vi set1_i(int x) { return {_mm512_set1_epi32(x)}; }
inline Vi select(Mask m, Vi yes, Vi no) { return {_mm512_mask_blend_epi32(m.v, no.v, yes.v)}; }
inline Mask equal(Vi a, Vi b) { return {_mm512_cmpeq_epi32_mask(a.v, b.v)}; }
inline Vi add_i(Vi a, Vi b) { return {_mm512_add_epi32(a.v, b.v)}; }
inline Vi load_index(const uint8_t* p) { return {_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))}; }
inline Vi load_index(const uint16_t* p) {
  return {_mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
}
inline Vi load_index(const int32_t* p) { return {_mm512_loadu_si512(p)}; }
inline void store_index(uint8_t* p, Vi x) { _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(x.v)); }
inline void store_index(uint16_t* p, Vi x) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi32_epi16(x.v)); }
inline void store_index(int32_t* p, Vi x) { _mm512_storeu_si512(p, x.v); }

// acc[lane] += x[lane]
inline void add_to(double* acc, Vf x) {
  const __m512d low = _mm512_cvtps_pd(_mm512_castps512_ps256(x.v));
  const __m512d high = _mm512_cvtps_pd(_mm512_extractf32x8_ps(x.v, 1));
  _mm512_storeu_pd(acc, _mm512_add_pd(_mm512_loadu_pd(acc), low));
  _mm512_storeu_pd(acc + 8, _mm512_add_pd(_mm512_loadu_pd(acc + 8), high));
}

// Rows and columns of a 16 x 16 square of floats change places.
inline void transpose(Vf rows[kLanes]) {
  __m512 t[16], u[16];
  for (int i = 0; i < 8; ++i) {
    t[2 * i] = _mm512_unpacklo_ps(rows[2 * i].v, rows[2 * i + 1].v);
    t[2 * i + 1] = _mm512_unpackhi_ps(rows[2 * i].v, rows[2 * i + 1].v);
  }
  for (int i = 0; i < 4; ++i)
    for (int half = 0; half < 2; ++half) {
      const __m512d a = _mm512_castps_pd(t[4 * i + half]), b = _mm512_castps_pd(t[4 * i + 2 + half]);
      u[4 * i + 2 * half] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, b));
      u[4 * i + 2 * half + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, b));
    }
  for (int j = 0; j < 4; ++j) {
    const __m512 low0 = _mm512_shuffle_f32x4(u[j], u[4 + j], 0x88), high0 = _mm512_shuffle_f32x4(u[j], u[4 + j], 0xdd);
    const __m512 low1 = _mm512_shuffle_f32x4(u[8 + j], u[12 + j], 0x88), high1 = _mm512_shuffle_f32x4(u[8 + j], u[12 + j], 0xdd);
    rows[j].v = _mm512_shuffle_f32x4(low0, low1, 0x88);
    rows[4 + j].v = _mm512_shuffle_f32x4(high0, high1, 0x88);
    rows[8 + j].v = _mm512_shuffle_f32x4(low0, low1, 0xdd);
    rows[12 + j].v = _mm512_shuffle_f32x4(high0, high1, 0xdd);
  }
}

// a0 b0 a1 b1 ... as bf16.
inline void store_pairs(Bf16* p, Vf a, Vf b) {
  const __m512i low = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(a.v));
  const __m512i high = _mm512_slli_epi32(_mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(b.v)), 16);
  _mm512_storeu_si512(p, _mm512_or_si512(low, high));
}

}  // namespace dk::cpu::avx512
