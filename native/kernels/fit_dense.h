// Small dense layers on blocks of pixels, structure of arrays: x[channel][vector].
#pragma once

#include "kernels/fit_kernels.h"
#include "kernels/simd.h"

namespace {

constexpr int kVecs = wyner::kBlock / kLanes;  // vectors of a block
constexpr int kReg = 2;                        // of these held in registers at once
constexpr bool kManyRegisters = kLanes == 16;  // 32 of them instead of 16
using Block = V[kVecs];

constexpr int divisor_up_to(int n, int limit) {
  int best = 1;
  for (int d = 2; d <= limit; ++d)
    if (n % d == 0) best = d;
  return best;
}

// done(o, p, init(o, p) + sum_i w[o*IN + i] x[i][p]) for each output and each vector p of the block.
template <int IN, int OUT, class Init, class Done>
inline void dense(const float* w, const Block* x, Init init, Done done) {
  constexpr int OB = divisor_up_to(OUT, kManyRegisters ? 12 : 6);
  for (int o = 0; o < OUT; o += OB)
    for (int p = 0; p < kVecs; p += kReg) {
      V acc[OB][kReg];
      for (int j = 0; j < OB; ++j)
        for (int r = 0; r < kReg; ++r) acc[j][r] = init(o + j, p + r);
      for (int i = 0; i < IN; ++i) {
        V xs[kReg];
        for (int r = 0; r < kReg; ++r) xs[r] = x[i][p + r];
        for (int j = 0; j < OB; ++j) {
          const V ws = splat(w[(o + j) * IN + i]);
          for (int r = 0; r < kReg; ++r) acc[j][r] += ws * xs[r];
        }
      }
      for (int j = 0; j < OB; ++j)
        for (int r = 0; r < kReg; ++r) done(o + j, p + r, acc[j][r]);
    }
}

inline auto bias(const float* b) {
  return [b](int o, int) { return splat(b[o]); };
}
inline auto no_bias() {
  return [](int, int) { return V{}; };
}
inline auto from(const Block* b) {
  return [b](int o, int p) { return b[o][p]; };
}
inline auto into(Block* y) {
  return [y](int o, int p, V v) { y[o][p] = v; };
}
inline auto relu_into(Block* y) {
  return [y](int o, int p, V v) { y[o][p] = vmax(v, V{}); };
}
// Gradient through a ReLU whose output was h, written over h.
inline auto relu_gradient_over(Block* h) {
  return [h](int o, int p, V v) { h[o][p] = where(h[o][p] > V{}, v); };
}

// Blocks that lie `step` apart.
struct Blocks {
  const Block* at;
  int step;
};

template <int OB, int IB>
inline void outer_tile(Blocks g, Blocks x, int blocks, V* acc, int acc_step) {
  V s[OB][IB];
  for (int j = 0; j < OB; ++j)
    for (int k = 0; k < IB; ++k) s[j][k] = acc[j * acc_step + k];
  for (int b = 0; b < blocks; ++b)
    for (int p = 0; p < kVecs; ++p)
      for (int j = 0; j < OB; ++j)
        for (int k = 0; k < IB; ++k) s[j][k] += g.at[b * g.step + j][p] * x.at[b * x.step + k][p];
  for (int j = 0; j < OB; ++j)
    for (int k = 0; k < IB; ++k) acc[j * acc_step + k] = s[j][k];
}

// acc[o*IN + i] += sum over the vectors of `blocks` blocks of g[o] x[i].
template <int IN, int OUT>
inline void outer(Blocks g, Blocks x, int blocks, V* acc) {
  constexpr int OB = divisor_up_to(OUT, 4);
  constexpr int IB = (kManyRegisters ? 16 : 12) / OB, kRest = IN % IB;
  for (int o = 0; o < OUT; o += OB) {
    const Blocks go{g.at + o, g.step};
    for (int i = 0; i + IB <= IN; i += IB)
      outer_tile<OB, IB>(go, {x.at + i, x.step}, blocks, acc + o * IN + i, IN);
    if constexpr (kRest > 0)
      outer_tile<OB, kRest>(go, {x.at + IN - kRest, x.step}, blocks, acc + (o + 1) * IN - kRest, IN);
  }
}

// acc[o] += sum over the vectors of `blocks` blocks of g[o].
template <int OUT>
inline void bias_sum(Blocks g, int blocks, V* acc) {
  for (int o = 0; o < OUT; ++o) {
    V s = acc[o];
    for (int b = 0; b < blocks; ++b)
      for (int p = 0; p < kVecs; ++p) s += g.at[b * g.step + o][p];
    acc[o] = s;
  }
}

// out (cols x rows, its rows `stride` floats apart) = transposed w (rows x cols, its rows `from` floats apart).
inline void transpose(const float* w, int from, int rows, int cols, float* out, int stride) {
  for (int r = 0; r < rows; ++r)
    for (int c = 0; c < cols; ++c) out[c * stride + r] = w[r * from + c];
}

// out = cols columns of a matrix; their rows lie `from` and `stride` floats apart.
inline void columns(const float* w, int from, int rows, int cols, float* out, int stride) {
  for (int r = 0; r < rows; ++r) std::memcpy(out + r * stride, w + r * from, sizeof(float) * cols);
}

// dst = the sums over lanes of n vectors.
inline void put_sums(const V* v, int n, float* dst) {
  for (int i = 0; i < n; ++i) dst[i] = sum(v[i]);
}

}  // namespace
