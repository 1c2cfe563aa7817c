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

// GP is G rounded up to a multiple of 4; the extra inputs are zero.
template <int GP, int M>
struct Mlp {
  float w1[M * GP], wl[3 * GP];
  const float *b1, *w2, *b2;

  Mlp(const float* p, int G) {
    const SynthLayout at(G, M);
    for (int o = 0; o < M; ++o)
      for (int i = 0; i < GP; ++i) w1[o * GP + i] = i < G ? p[at.w1 + o * G + i] : 0.0f;
    for (int o = 0; o < 3; ++o)
      for (int i = 0; i < GP; ++i) wl[o * GP + i] = i < G ? p[at.wl + o * G + i] : 0.0f;
    b1 = p + at.b1;
    w2 = p + at.w2;
    b2 = p + at.b2;
  }

  static void load_inputs(const float* const* u, int G, long at, Block* x) {
    for (int i = 0; i < GP; ++i)
      for (int p = 0; p < kVecs; ++p) x[i][p] = i < G ? load(u[i] + at + p * kLanes) : V{};
  }

  void hidden(const Block* x, Block* h) const { dense<GP, M, true, false>(w1, b1, x, h); }

  void output(const Block* x, const Block* h, Block* z) const {
    dense<M, 3, false, false>(w2, b2, h, z);
    dense<GP, 3, false, true>(wl, nullptr, x, z);
  }
};

}  // namespace
