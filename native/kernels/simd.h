// Vectors of floats in the width of the unit's instruction set, on GCC/Clang vector extensions.
// Only for kernel units: everything sits in an anonymous namespace so that no inline function compiled
// for one instruction set can be linked into another.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__SSE4_1__)
#include <immintrin.h>
#endif

namespace {

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX2__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif

typedef float V __attribute__((vector_size(4 * kLanes)));
typedef int32_t VI __attribute__((vector_size(4 * kLanes)));
typedef uint32_t VU __attribute__((vector_size(4 * kLanes)));
typedef float VUnaligned __attribute__((vector_size(4 * kLanes), aligned(4), may_alias));

inline V load(const float* p) { return *reinterpret_cast<const VUnaligned*>(p); }
inline void store(float* p, V v) { *reinterpret_cast<VUnaligned*>(p) = v; }
inline V splat(float x) { return x - V{}; }  // x - 0 is x, so nothing is computed; -0 + 0 is not -0
// Keeps compilers from loading a value again for each use.
inline V held(V v) {
#if defined(__x86_64__)
  __asm__("" : "+v"(v));
#endif
  return v;
}
inline VI as_int(V v) { return reinterpret_cast<VI>(v); }
inline V as_float(VI v) { return reinterpret_cast<V>(v); }

inline V select(VI mask, V a, V b) { return as_float((mask & as_int(a)) | (~mask & as_int(b))); }
inline V where(VI mask, V a) { return as_float(mask & as_int(a)); }  // 0 elsewhere

// Intrinsics where compilers make several instructions of what is one. Of AVX-512's, those with a mask, since GCC 12
// warns about the undefined operand of the others.
#if defined(__AVX512F__)
inline V vmax(V a, V b) { return _mm512_mask_max_ps(a, 0xffff, a, b); }
inline V vmin(V a, V b) { return _mm512_mask_min_ps(a, 0xffff, a, b); }
inline V vfloor(V x) { return _mm512_mask_roundscale_ps(x, 0xffff, x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC); }
inline V vsqrt(V x) { return _mm512_mask_sqrt_ps(x, 0xffff, x); }
#elif defined(__AVX2__)
inline V vmax(V a, V b) { return _mm256_max_ps(a, b); }
inline V vmin(V a, V b) { return _mm256_min_ps(a, b); }
inline V vfloor(V x) { return _mm256_floor_ps(x); }
inline V vsqrt(V x) { return _mm256_sqrt_ps(x); }
#elif defined(__SSE4_1__)
inline V vmax(V a, V b) { return _mm_max_ps(a, b); }
inline V vmin(V a, V b) { return _mm_min_ps(a, b); }
inline V vfloor(V x) { return _mm_floor_ps(x); }
inline V vsqrt(V x) { return _mm_sqrt_ps(x); }
#else
inline V vmax(V a, V b) { return a > b ? a : b; }
inline V vmin(V a, V b) { return a < b ? a : b; }
inline V vfloor(V x) {
  const V t = __builtin_convertvector(__builtin_convertvector(x, VI), V);
  return t - select(t > x, splat(1.0f), V{});
}
inline V vsqrt(V x) {
  for (int i = 0; i < kLanes; ++i) x[i] = __builtin_sqrtf(x[i]);
  return x;
}
#endif
inline V vabs(V a) { return as_float(as_int(a) & 0x7fffffff); }

#if defined(__AVX512F__)
#define WYNER_SHUFFLE_LOW 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define WYNER_SHUFFLE_HIGH 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#define WYNER_SHUFFLE_EVEN 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30
#define WYNER_SHUFFLE_ODD 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31
#elif defined(__AVX2__)
#define WYNER_SHUFFLE_LOW 0, 8, 1, 9, 2, 10, 3, 11
#define WYNER_SHUFFLE_HIGH 4, 12, 5, 13, 6, 14, 7, 15
#define WYNER_SHUFFLE_EVEN 0, 2, 4, 6, 8, 10, 12, 14
#define WYNER_SHUFFLE_ODD 1, 3, 5, 7, 9, 11, 13, 15
#else
#define WYNER_SHUFFLE_LOW 0, 4, 1, 5
#define WYNER_SHUFFLE_HIGH 2, 6, 3, 7
#define WYNER_SHUFFLE_EVEN 0, 2, 4, 6
#define WYNER_SHUFFLE_ODD 1, 3, 5, 7
#endif

// p[0], p[1], ... = a[0], b[0], a[1], b[1], ...
inline void store_interleaved(float* p, V a, V b) {
  store(p, __builtin_shufflevector(a, b, WYNER_SHUFFLE_LOW));
  store(p + kLanes, __builtin_shufflevector(a, b, WYNER_SHUFFLE_HIGH));
}

// Every other element of a followed by b.
inline V even_lanes(V a, V b) { return __builtin_shufflevector(a, b, WYNER_SHUFFLE_EVEN); }
inline V odd_lanes(V a, V b) { return __builtin_shufflevector(a, b, WYNER_SHUFFLE_ODD); }

inline V lane_index() {
  V v;
  for (int i = 0; i < kLanes; ++i) v[i] = float(i);
  return v;
}

template <int kCount>
inline float sum_lanes(const float* x) {
  if constexpr (kCount == 1) return x[0];
  else return sum_lanes<kCount / 2>(x) + sum_lanes<kCount / 2>(x + kCount / 2);
}
inline float sum(V v) {
  float x[kLanes];
  store(x, v);
  return sum_lanes<kLanes>(x);
}

// 2^x for x in [-126, 126]; relative error below 2e-7 (Taylor series of 2^f on [-1/2, 1/2]).
inline V exp2v(V x) {
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: sums round to integers, which are their low bits
  const V n = x + kRound;
  const V f = x - (n - kRound);
  V p = splat(1.5403530e-4f);
  p = p * f + 1.3333558e-3f;
  p = p * f + 9.6181291e-3f;
  p = p * f + 5.5504109e-2f;
  p = p * f + 2.4022651e-1f;
  p = p * f + 6.9314718e-1f;
  p = p * f + 1.0f;
  return as_float(as_int(p) + (as_int(n) << 23));
}

// Likewise for any x to 126, though never below 2^-126.
inline V exp2_clamped(V x) { return exp2v(vmax(x, splat(-126.0f))); }

// log2 of a positive normal number; absolute error below 3e-7 (atanh series on [sqrt(1/2), sqrt(2)]).
inline V log2v(V x) {
  const VI bits = as_int(x);
  VI e = ((bits - 0x3f3504f3) >> 23);
  const V m = as_float(bits - (e << 23));
  const V s = (m - 1.0f) / (m + 1.0f);
  const V s2 = s * s;
  V p = s2 * (2.8853901f / 9.0f) + 2.8853901f / 7.0f;  // 2/ln 2 = 2.8853901
  p = p * s2 + 2.8853901f / 5.0f;
  p = p * s2 + 2.8853901f / 3.0f;
  p = p * s2 + 2.8853901f;
  return p * s + __builtin_convertvector(e, V);
}

}  // namespace
