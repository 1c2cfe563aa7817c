// Small dense layers on blocks of kBlock pixels, structure of arrays: x[channel][vector].
#pragma once

#include "kernels/fit_kernels.h"
#include "kernels/simd.h"

namespace {

constexpr int kVecs = wyner::kBlock / kLanes;                 // vectors of a block
constexpr int kReg = kLanes == 16 ? 4 : 2;                    // vectors held in registers at once
using Block = V[kVecs];

constexpr int outputs_at_once(int n) { return n % 4 == 0 ? 4 : (n % 3 == 0 ? 3 : (n % 2 == 0 ? 2 : 1)); }

// y[o] = finish(o, p, b[o] + sum_i w[o*IN + i] x[i]) for each vector p of the block; b may be null.
template <int IN, int OUT, class Finish>
inline void dense(const float* w, const float* b, const Block* x, Block* y, Finish finish) {
  constexpr int OB = outputs_at_once(OUT);
  for (int o = 0; o < OUT; o += OB)
    for (int p = 0; p < kVecs; p += kReg) {
      V acc[OB][kReg];
      for (int j = 0; j < OB; ++j)
        for (int r = 0; r < kReg; ++r) acc[j][r] = b ? splat(b[o + j]) : V{};
      for (int i = 0; i < IN; ++i) {
        V xs[kReg];
        for (int r = 0; r < kReg; ++r) xs[r] = x[i][p + r];
        for (int j = 0; j < OB; ++j) {
          const V ws = splat(w[(o + j) * IN + i]);
          for (int r = 0; r < kReg; ++r) acc[j][r] += ws * xs[r];
        }
      }
      for (int j = 0; j < OB; ++j)
        for (int r = 0; r < kReg; ++r) y[o + j][p + r] = finish(o + j, p + r, acc[j][r]);
    }
}

template <int IN, int OUT>
inline void dense(const float* w, const float* b, const Block* x, Block* y) {
  dense<IN, OUT>(w, b, x, y, [](int, int, V v) { return v; });
}

template <int IN, int OUT>
inline void dense_relu(const float* w, const float* b, const Block* x, Block* h) {
  dense<IN, OUT>(w, b, x, h, [](int, int, V v) { return vmax(v, V{}); });
}

// Back through the layer after h and its ReLU: g[o] = sum_i w[o*IN + i] g_out[i] where h[o] > 0; adds it to gb[o].
template <int IN, int OUT>
inline void dense_backward(const float* w, const Block* g_out, const Block* h, Block* g, V* gb) {
  dense<IN, OUT>(w, nullptr, g_out, g, [&](int o, int p, V v) {
    const V active = where(h[o][p] > V{}, v);
    gb[o] += active;
    return active;
  });
}

// acc[o*IN + i] += sum over the block of g[o] x[i], lane by lane.
template <int IN, int OUT>
inline void outer(const Block* g, const Block* x, V* acc) {
  constexpr int OB = outputs_at_once(OUT);
  constexpr int IB = IN % 4 == 0 ? 4 : 1;
  for (int o = 0; o < OUT; o += OB)
    for (int i = 0; i < IN; i += IB) {
      V s[OB][IB];
      for (int j = 0; j < OB; ++j)
        for (int k = 0; k < IB; ++k) s[j][k] = acc[(o + j) * IN + i + k];
      for (int p = 0; p < kVecs; ++p)
        for (int j = 0; j < OB; ++j)
          for (int k = 0; k < IB; ++k) s[j][k] += g[o + j][p] * x[i + k][p];
      for (int j = 0; j < OB; ++j)
        for (int k = 0; k < IB; ++k) acc[(o + j) * IN + i + k] = s[j][k];
    }
}

template <int OUT>
inline void bias_sum(const Block* g, V* acc) {
  for (int o = 0; o < OUT; ++o)
    for (int p = 0; p < kVecs; ++p) acc[o] += g[o][p];
}

// out (cols x rows, its rows `stride` floats apart) = transposed w (rows x cols).
inline void transpose(const float* w, int rows, int cols, float* out, int stride) {
  for (int r = 0; r < rows; ++r)
    for (int c = 0; c < cols; ++c) out[c * stride + r] = w[r * cols + c];
}

}  // namespace
