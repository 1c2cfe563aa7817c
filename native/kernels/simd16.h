// Vectors of 16-bit integers with 32-bit accumulators, in the width of the unit's instruction set.
// Only for kernel units: everything sits in an anonymous namespace so that no inline function compiled
// for one instruction set can be linked into another.
//
// Intrinsics, because compilers do not find multiply-add-pairs in portable code. A "pair" is two 16-bit
// values in the halves of a 32-bit lane; madd() multiplies pairs by pairs and adds the two products.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__SSE4_1__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace {

#if defined(__AVX512BW__)

typedef __m512i I16;
typedef __m512i I32;
// Operators instead of intrinsics where GCC 12 warns about the latter's undefined pass-through operand.
typedef int32_t Words __attribute__((vector_size(64)));
typedef uint16_t Halves __attribute__((vector_size(32)));
inline I16 load16(const int16_t* p) { return _mm512_loadu_si512(p); }
inline void store16(int16_t* p, I16 v) { _mm512_storeu_si512(p, v); }
inline void store32(int32_t* p, I32 v) { _mm512_storeu_si512(p, v); }
inline I32 load32(const int32_t* p) { return _mm512_loadu_si512(p); }
inline I32 splat32(int32_t x) { return _mm512_set1_epi32(x); }
inline I16 zip_low(I16 a, I16 b) { return _mm512_unpacklo_epi16(a, b); }
inline I16 zip_high(I16 a, I16 b) { return _mm512_unpackhi_epi16(a, b); }
inline I32 madd(I16 a, I16 b) { return _mm512_madd_epi16(a, b); }
inline I32 add32(I32 a, I32 b) { return _mm512_add_epi32(a, b); }
inline I32 or32(I32 a, I32 b) { return _mm512_or_si512(a, b); }
inline I32 shift_right(I32 a, int n) { return (I32)((Words)a >> n); }
inline I32 shift_left_16(I32 a) { return (I32)((Words)a << 16); }
inline I32 min32(I32 a, I32 b) { return _mm512_mask_min_epi32(a, 0xffff, a, b); }
inline I32 max32(I32 a, I32 b) { return _mm512_mask_max_epi32(a, 0xffff, a, b); }
inline I16 max16(I16 a, I16 b) { return _mm512_max_epi16(a, b); }
inline I16 pack_saturated(I32 low, I32 high) { return _mm512_packs_epi32(low, high); }
inline I32 load_pairs(const int16_t* a, const int16_t* b) {
  const Halves low = (Halves)_mm256_loadu_si256((const __m256i*)a);
  const Halves high = (Halves)_mm256_loadu_si256((const __m256i*)b);
  return (I32)(__builtin_convertvector(low, Words) | (__builtin_convertvector(high, Words) << 16));
}

#elif defined(__AVX2__)

typedef __m256i I16;
typedef __m256i I32;
inline I16 load16(const int16_t* p) { return _mm256_loadu_si256((const __m256i*)p); }
inline void store16(int16_t* p, I16 v) { _mm256_storeu_si256((__m256i*)p, v); }
inline void store32(int32_t* p, I32 v) { _mm256_storeu_si256((__m256i*)p, v); }
inline I32 load32(const int32_t* p) { return _mm256_loadu_si256((const __m256i*)p); }
inline I32 splat32(int32_t x) { return _mm256_set1_epi32(x); }
inline I16 zip_low(I16 a, I16 b) { return _mm256_unpacklo_epi16(a, b); }
inline I16 zip_high(I16 a, I16 b) { return _mm256_unpackhi_epi16(a, b); }
inline I32 madd(I16 a, I16 b) { return _mm256_madd_epi16(a, b); }
inline I32 add32(I32 a, I32 b) { return _mm256_add_epi32(a, b); }
inline I32 or32(I32 a, I32 b) { return _mm256_or_si256(a, b); }
inline I32 shift_right(I32 a, int n) { return _mm256_sra_epi32(a, _mm_cvtsi32_si128(n)); }
inline I32 shift_left_16(I32 a) { return _mm256_slli_epi32(a, 16); }
inline I32 min32(I32 a, I32 b) { return _mm256_min_epi32(a, b); }
inline I32 max32(I32 a, I32 b) { return _mm256_max_epi32(a, b); }
inline I16 max16(I16 a, I16 b) { return _mm256_max_epi16(a, b); }
inline I16 pack_saturated(I32 low, I32 high) { return _mm256_packs_epi32(low, high); }
inline I32 load_pairs(const int16_t* a, const int16_t* b) {
  const __m256i low = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i*)a));
  const __m256i high = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i*)b));
  return _mm256_or_si256(low, _mm256_slli_epi32(high, 16));
}

#elif defined(__SSE4_1__)

typedef __m128i I16;
typedef __m128i I32;
inline I16 load16(const int16_t* p) { return _mm_loadu_si128((const __m128i*)p); }
inline void store16(int16_t* p, I16 v) { _mm_storeu_si128((__m128i*)p, v); }
inline void store32(int32_t* p, I32 v) { _mm_storeu_si128((__m128i*)p, v); }
inline I32 load32(const int32_t* p) { return _mm_loadu_si128((const __m128i*)p); }
inline I32 splat32(int32_t x) { return _mm_set1_epi32(x); }
inline I16 zip_low(I16 a, I16 b) { return _mm_unpacklo_epi16(a, b); }
inline I16 zip_high(I16 a, I16 b) { return _mm_unpackhi_epi16(a, b); }
inline I32 madd(I16 a, I16 b) { return _mm_madd_epi16(a, b); }
inline I32 add32(I32 a, I32 b) { return _mm_add_epi32(a, b); }
inline I32 or32(I32 a, I32 b) { return _mm_or_si128(a, b); }
inline I32 shift_right(I32 a, int n) { return _mm_sra_epi32(a, _mm_cvtsi32_si128(n)); }
inline I32 shift_left_16(I32 a) { return _mm_slli_epi32(a, 16); }
inline I32 min32(I32 a, I32 b) { return _mm_min_epi32(a, b); }
inline I32 max32(I32 a, I32 b) { return _mm_max_epi32(a, b); }
inline I16 max16(I16 a, I16 b) { return _mm_max_epi16(a, b); }
inline I16 pack_saturated(I32 low, I32 high) { return _mm_packs_epi32(low, high); }
inline I32 load_pairs(const int16_t* a, const int16_t* b) {
  return _mm_unpacklo_epi16(_mm_loadl_epi64((const __m128i*)a), _mm_loadl_epi64((const __m128i*)b));
}

#else  // GCC/Clang vector extensions: NEON and anything else that is little-endian

typedef int16_t I16 __attribute__((vector_size(16)));
typedef int32_t I32 __attribute__((vector_size(16)));
inline I16 load16(const int16_t* p) { I16 v; std::memcpy(&v, p, sizeof v); return v; }
inline void store16(int16_t* p, I16 v) { std::memcpy(p, &v, sizeof v); }
inline void store32(int32_t* p, I32 v) { std::memcpy(p, &v, sizeof v); }
inline I32 load32(const int32_t* p) { I32 v; std::memcpy(&v, p, sizeof v); return v; }
inline I32 splat32(int32_t x) { return I32{x, x, x, x}; }
inline I16 zip_low(I16 a, I16 b) { return __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11); }
inline I16 zip_high(I16 a, I16 b) { return __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15); }
#if defined(__aarch64__)
inline I32 madd(I16 a, I16 b) {
  const int16x8_t x = (int16x8_t)a, y = (int16x8_t)b;
  return (I32)vpaddq_s32(vmull_s16(vget_low_s16(x), vget_low_s16(y)), vmull_high_s16(x, y));
}
#else
inline I32 even(I16 a) { return ((I32)a << 16) >> 16; }
inline I32 odd(I16 a) { return (I32)a >> 16; }
inline I32 madd(I16 a, I16 b) { return even(a) * even(b) + odd(a) * odd(b); }
#endif
inline I32 madd(I32 a, I32 b) { return madd((I16)a, (I16)b); }
inline I32 madd(I16 a, I32 b) { return madd(a, (I16)b); }
inline I32 add32(I32 a, I32 b) { return a + b; }
inline I32 or32(I32 a, I32 b) { return a | b; }
inline I32 shift_right(I32 a, int n) { return a >> n; }
inline I32 shift_left_16(I32 a) { return a << 16; }
inline I32 min32(I32 a, I32 b) { return a < b ? a : b; }
inline I32 max32(I32 a, I32 b) { return a > b ? a : b; }
inline I16 max16(I16 a, I16 b) { return a > b ? a : b; }
inline I32 saturate(I32 a) { return min32(max32(a, splat32(-32768)), splat32(32767)); }
inline I16 pack_saturated(I32 low, I32 high) {
  return __builtin_shufflevector((I16)saturate(low), (I16)saturate(high), 0, 2, 4, 6, 8, 10, 12, 14);
}
inline I32 load_pairs(const int16_t* a, const int16_t* b) {
  I16 x{}, y{};
  std::memcpy(&x, a, sizeof x / 2);
  std::memcpy(&y, b, sizeof y / 2);
  return (I32)zip_low(x, y);
}

#endif

constexpr int kLanes16 = sizeof(I16) / 2;
constexpr int kLanes32 = sizeof(I32) / 4;

}  // namespace
