// The 1x1 layers of the synthesis on blocks of pixels, shared by its forward and backward units.
//
//   u (G planes) --> h = relu(w1 u + b1) --> z = w2 h + wl u + b2
#pragma once

#include "kernels/fit_dense.h"

namespace {

// Offsets of the tensors of the synthesis in its parameter vector.
struct SynthLayout {
  int w1, b1, w2, wl, b2, c1, d1, c2, d2, end;
  SynthLayout(int G, int M)
      : w1(0), b1(M * G), w2(b1 + M), wl(w2 + 3 * M), b2(wl + 3 * G), c1(b2 + 3), d1(c1 + 81),
        c2(d1 + 3), d2(c2 + 81), end(d2 + 3) {}
};

inline void prefetch_block(const float* p) {
  for (int i = 0; i < wyner::kBlock; i += 16) __builtin_prefetch(p + i);
}

// GP is G + 1 rounded up to a multiple of 4. Input G is 1, so that its weights are the biases; any more are 0.
template <int GP, int M>
struct Mlp {
  float w1[M * GP], out_w[3 * (M + GP)];  // rows of out_w: w2, then wl and b2

  Mlp(const float* p, int G) {
    const SynthLayout at(G, M);
    for (int o = 0; o < M; ++o) with_bias(p + at.w1 + o * G, p[at.b1 + o], G, w1 + o * GP);
    for (int o = 0; o < 3; ++o) {
      std::memcpy(out_w + o * (M + GP), p + at.w2 + o * M, sizeof(float) * M);
      with_bias(p + at.wl + o * G, p[at.b2 + o], G, out_w + o * (M + GP) + M);
    }
  }

  static void with_bias(const float* w, float b, int G, float* out) {
    for (int i = 0; i < GP; ++i) out[i] = i < G ? w[i] : (i == G ? b : 0.0f);
  }

  static void load_inputs(const float* const* u, int G, long at, Block* x) {
    for (int i = 0; i < G; ++i)
      prefetch_block(u[i] + at + 2 * wyner::kBlock);  // many planes at once are too much for the hardware's prefetching
    for (int i = 0; i < GP; ++i)
      for (int p = 0; p < kVecs; ++p) x[i][p] = i < G ? load(u[i] + at + p * kLanes) : splat(i == G ? 1.0f : 0.0f);
  }

  // hx: M hidden units, then the GP inputs.
  void hidden(Block* hx) const { dense_relu<GP, M>(w1, nullptr, hx + M, hx); }
  void output(const Block* hx, Block* z) const { dense<M + GP, 3>(out_w, nullptr, hx, z); }
};

}  // namespace
