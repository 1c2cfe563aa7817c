// Small dense layers on blocks of kBlock pixels, structure of arrays: x[channel][vector].
#pragma once

#include "kernels/fit_kernels.h"
#include "kernels/simd.h"

namespace {

constexpr int kVecs = wyner::kBlock / kLanes;                 // vectors of a block
constexpr int kReg = kLanes == 16 ? 4 : 2;                    // vectors held in registers at once
using Block = V[kVecs];

// y[o] = (relu)(b[o] + sum_i w[o*IN + i] x[i]);  with add: y += ...;  b may be null.
template <int IN, int OUT, bool kRelu, bool kAdd>
inline void dense(const float* w, const float* b, const Block* x, Block* y) {
  constexpr int OB = OUT % 4 == 0 ? 4 : (OUT % 3 == 0 ? 3 : (OUT % 2 == 0 ? 2 : 1));
  for (int o = 0; o < OUT; o += OB)
    for (int p = 0; p < kVecs; p += kReg) {
      V acc[OB][kReg];
      for (int j = 0; j < OB; ++j)
        for (int r = 0; r < kReg; ++r) {
          acc[j][r] = kAdd ? y[o + j][p + r] : V{};
          if (b) acc[j][r] += b[o + j];
        }
      for (int i = 0; i < IN; ++i) {
        V xs[kReg];
        for (int r = 0; r < kReg; ++r) xs[r] = x[i][p + r];
        for (int j = 0; j < OB; ++j) {
          const V ws = splat(w[(o + j) * IN + i]);
          for (int r = 0; r < kReg; ++r) acc[j][r] += ws * xs[r];
        }
      }
      for (int j = 0; j < OB; ++j)
        for (int r = 0; r < kReg; ++r) y[o + j][p + r] = kRelu ? vmax(acc[j][r], V{}) : acc[j][r];
    }
}

// acc[o*IN + i] += sum over the block of g[o] x[i], lane by lane.
template <int IN, int OUT>
inline void outer(const Block* g, const Block* x, V* acc) {
  constexpr int OB = OUT % 4 == 0 ? 4 : (OUT % 3 == 0 ? 3 : (OUT % 2 == 0 ? 2 : 1));
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

template <int N>
inline void relu_mask(const Block* h, Block* g) {
  for (int o = 0; o < N; ++o)
    for (int p = 0; p < kVecs; ++p) g[o][p] = as_float(as_int(g[o][p]) & (h[o][p] > V{}));
}

inline void transpose(const float* w, int rows, int cols, float* out) {
  for (int r = 0; r < rows; ++r)
    for (int c = 0; c < cols; ++c) out[c * rows + r] = w[r * cols + c];
}

}  // namespace
