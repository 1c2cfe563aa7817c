// Rows split into even and odd columns: each half has kPad floats either side. A pointer names column 0, which is the
// first of the even half.
#pragma once

#include "kernels/fit_kernels.h"
#include "kernels/simd.h"

namespace {

inline int round_up(int v, int to) { return (v + to - 1) / to * to; }
inline int clampi(int v, int lo, int hi) { return v < lo ? lo : (v > hi ? hi : v); }

// Floats of half a row of w columns.
inline int half_floats(int w) { return round_up(w, wyner::kColumns) / 2 + 2 * wyner::kPad; }

// How many of w columns have a parity.
inline int count_of(int w, int parity) { return (w + 1 - parity) / 2; }

// Which of the lanes from x on are below count.
inline VI below(int x, int count) { return lane_index() + float(x) < splat(float(count)); }

inline void split_row(const float* src, int w, float* even, float* odd) {
  for (int x = 0; 2 * x < w; x += kLanes) {
    const V a = load(src + 2 * x), b = load(src + 2 * x + kLanes);
    store(even + x, even_lanes(a, b));
    store(odd + x, odd_lanes(a, b));
  }
}

// Writes whole pairs of vectors, zero from column w on.
inline void merge_row(const float* even, const float* odd, int w, float* dst) {
  for (int x = 0; 2 * x < w; x += kLanes) store_interleaved(dst + 2 * x, load(even + x), load(odd + x));
  for (int x = w; x < round_up(w, 2 * kLanes); ++x) dst[x] = 0;
}

// The latest rows (a power of two) of some channels.
struct Ring {
  float* base;
  int rows, channels, half;

  static long floats(int rows, int channels, int half) { return 2L * rows * channels * half; }
  float* at(int y, int channel) const {
    return base + 2L * ((y & (rows - 1)) * channels + channel) * half + wyner::kPad;
  }
  // Column x of a row: any from -1 to one past the end.
  float& column(int y, int channel, int x) const { return at(y, channel)[(x & 1) * half + (x >> 1)]; }
  void clear() const { std::memset(base, 0, sizeof(float) * floats(rows, channels, half)); }
};

}  // namespace
