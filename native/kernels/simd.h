// Vectors of floats in the width of the unit's instruction set, on GCC/Clang vector extensions.
// Only for kernel units: everything sits in an anonymous namespace so that no inline function compiled
// for one instruction set can be linked into another.
#pragma once

#include <cstdint>
#include <cstring>

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
inline V splat(float x) { return V{} + x; }
inline VI as_int(V v) { return reinterpret_cast<VI>(v); }
inline V as_float(VI v) { return reinterpret_cast<V>(v); }

inline V select(VI mask, V a, V b) { return as_float((mask & as_int(a)) | (~mask & as_int(b))); }
inline V vmax(V a, V b) { return select(a > b, a, b); }
inline V vmin(V a, V b) { return select(a < b, a, b); }
inline V vabs(V a) { return as_float(as_int(a) & 0x7fffffff); }

inline V lane_index() {
  V v;
  for (int i = 0; i < kLanes; ++i) v[i] = float(i);
  return v;
}

inline float sum(V v) {
  float s = 0;
  for (int i = 0; i < kLanes; ++i) s += v[i];
  return s;
}

inline V vfloor(V x) {
  const V t = __builtin_convertvector(__builtin_convertvector(x, VI), V);
  return t - select(t > x, splat(1.0f), V{});
}

// 2^x for x in [-126, 126]; relative error below 2e-7 (Taylor series of 2^f on [-1/2, 1/2]).
inline V exp2v(V x) {
  x = vmax(x, splat(-126.0f));
  const V n = vfloor(x + 0.5f);
  const V f = x - n;
  V p = splat(1.5403530e-4f);
  p = p * f + 1.3333558e-3f;
  p = p * f + 9.6181291e-3f;
  p = p * f + 5.5504109e-2f;
  p = p * f + 2.4022651e-1f;
  p = p * f + 6.9314718e-1f;
  p = p * f + 1.0f;
  const VI e = (__builtin_convertvector(n, VI) + 127) << 23;
  return p * as_float(e);
}

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

inline float dot(const float* a, const float* b, int n) {
  V acc{}, acc2{};
  int i = 0;
  for (; i + 2 * kLanes <= n; i += 2 * kLanes) {
    acc += load(a + i) * load(b + i);
    acc2 += load(a + i + kLanes) * load(b + i + kLanes);
  }
  float s = sum(acc + acc2);
  for (; i < n; ++i) s += a[i] * b[i];
  return s;
}

}  // namespace
