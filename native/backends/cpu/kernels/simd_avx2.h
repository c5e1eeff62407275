// Eight float lanes of AVX2 and FMA, for the templates in *.inl: the same interface as simd_avx512.h, without bf16, which
// machines of this class gain nothing from.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace dk::cpu::avx2 {

constexpr int kLanes = 8;

struct Vf {
  __m256 v;
};
struct Vi {
  __m256i v;
};
struct Mask {
  __m256 v;
};

inline Vf set1(float x) { return {_mm256_set1_ps(x)}; }
inline Vf zero() { return {_mm256_setzero_ps()}; }
inline Vf load(const float* p) { return {_mm256_loadu_ps(p)}; }
inline void store(float* p, Vf x) { _mm256_storeu_ps(p, x.v); }
inline void stream(float* p, Vf x) { _mm256_stream_ps(p, x.v); }
// After the last stream(): what was written is then seen by other threads in order.
inline void stream_end() { _mm_sfence(); }

inline Vf operator+(Vf a, Vf b) { return {_mm256_add_ps(a.v, b.v)}; }
inline Vf operator-(Vf a, Vf b) { return {_mm256_sub_ps(a.v, b.v)}; }
inline Vf operator*(Vf a, Vf b) { return {_mm256_mul_ps(a.v, b.v)}; }
inline Vf fma(Vf a, Vf b, Vf c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }    // a*b + c
inline Vf fnma(Vf a, Vf b, Vf c) { return {_mm256_fnmadd_ps(a.v, b.v, c.v)}; }  // c - a*b
// Of a NaN and a number these give b, so keep the data in b.
inline Vf min(Vf a, Vf b) { return {_mm256_min_ps(a.v, b.v)}; }
inline Vf max(Vf a, Vf b) { return {_mm256_max_ps(a.v, b.v)}; }
inline Vf lane_and(Vf a, Vf bits) { return {_mm256_and_ps(a.v, bits.v)}; }
inline Vf round(Vf a) { return {_mm256_round_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)}; }
// p * 2^n for whole n, in two factors so that results down to the smallest numbers and up to infinity come out right.
inline Vf scale_by_power(Vf p, Vf n) {
  const __m256i whole = _mm256_cvtps_epi32(max(set1(-252.0f), min(set1(252.0f), n)).v);
  const __m256i half = _mm256_srai_epi32(whole, 1), bias = _mm256_set1_epi32(127);
  const __m256i first = _mm256_slli_epi32(_mm256_add_epi32(half, bias), 23);
  const __m256i second = _mm256_slli_epi32(_mm256_add_epi32(_mm256_sub_epi32(whole, half), bias), 23);
  return {_mm256_mul_ps(_mm256_mul_ps(p.v, _mm256_castsi256_ps(first)), _mm256_castsi256_ps(second))};
}
inline Vf reciprocal(Vf a) { return {_mm256_div_ps(_mm256_set1_ps(1.0f), a.v)}; }
inline Vf rough_reciprocal(Vf a) { return reciprocal(a); }

inline Mask greater(Vf a, Vf b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_GT_OQ)}; }
inline Mask greater_equal(Vf a, Vf b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_GE_OQ)}; }
inline Vf select(Mask m, Vf yes, Vf no) { return {_mm256_blendv_ps(no.v, yes.v, m.v)}; }

inline Vi set1_i(int x) { return {_mm256_set1_epi32(x)}; }
inline Vi select(Mask m, Vi yes, Vi no) { return {_mm256_blendv_epi8(no.v, yes.v, _mm256_castps_si256(m.v))}; }
inline Mask equal(Vi a, Vi b) { return {_mm256_castsi256_ps(_mm256_cmpeq_epi32(a.v, b.v))}; }
inline Vi add_i(Vi a, Vi b) { return {_mm256_add_epi32(a.v, b.v)}; }
inline Vi load_index(const uint8_t* p) { return {_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)))}; }
inline Vi load_index(const uint16_t* p) { return {_mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))}; }
inline Vi load_index(const int32_t* p) { return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))}; }
inline void store_index(uint16_t* p, Vi x) {
  const __m128i words = _mm_packus_epi32(_mm256_castsi256_si128(x.v), _mm256_extracti128_si256(x.v, 1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), words);
}
inline void store_index(uint8_t* p, Vi x) {
  const __m128i words = _mm_packus_epi32(_mm256_castsi256_si128(x.v), _mm256_extracti128_si256(x.v, 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packus_epi16(words, words));
}
inline void store_index(int32_t* p, Vi x) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), x.v); }

// acc[lane] += x[lane]
inline void add_to(double* acc, Vf x) {
  const __m256d low = _mm256_cvtps_pd(_mm256_castps256_ps128(x.v)), high = _mm256_cvtps_pd(_mm256_extractf128_ps(x.v, 1));
  _mm256_storeu_pd(acc, _mm256_add_pd(_mm256_loadu_pd(acc), low));
  _mm256_storeu_pd(acc + 4, _mm256_add_pd(_mm256_loadu_pd(acc + 4), high));
}

// Rows and columns of an 8 x 8 square of floats change places.
inline void transpose(Vf rows[kLanes]) {
  __m256 t[8], u[8];
  for (int i = 0; i < 4; ++i) {
    t[2 * i] = _mm256_unpacklo_ps(rows[2 * i].v, rows[2 * i + 1].v);
    t[2 * i + 1] = _mm256_unpackhi_ps(rows[2 * i].v, rows[2 * i + 1].v);
  }
  for (int i = 0; i < 2; ++i)
    for (int half = 0; half < 2; ++half) {
      const __m256d a = _mm256_castps_pd(t[4 * i + half]), b = _mm256_castps_pd(t[4 * i + 2 + half]);
      u[4 * i + 2 * half] = _mm256_castpd_ps(_mm256_unpacklo_pd(a, b));
      u[4 * i + 2 * half + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(a, b));
    }
  for (int j = 0; j < 4; ++j) {
    rows[j].v = _mm256_permute2f128_ps(u[j], u[4 + j], 0x20);
    rows[4 + j].v = _mm256_permute2f128_ps(u[j], u[4 + j], 0x31);
  }
}

}  // namespace dk::cpu::avx2
