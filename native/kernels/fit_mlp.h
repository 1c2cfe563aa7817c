// The 1x1 layers of the synthesis, forward and backward, on groups of blocks of pixels.
//
//   u (G planes, X known ones) --> h = relu(w1 u + b1) --> z = w2 h + wl u + b2
#pragma once

#include "kernels/fit_dense.h"

namespace {

// Offsets of the tensors of the synthesis in its parameter vector.
struct SynthLayout {
  int w1, b1, w2, wl, b2, c1, d1, c2, d2, end;
  SynthLayout(int U, int M)  // U inputs
      : w1(0), b1(M * U), w2(b1 + M), wl(w2 + 3 * M), b2(wl + 3 * U), c1(b2 + 3), d1(c1 + 81),
        c2(d1 + 3), d2(c2 + 81), end(d2 + 3) {}
};

// GP is at least the number of planes; planes and weights beyond it are 0. X planes that have no gradient follow.
template <int GP, int M, int X>
class Mlp {
 public:
  static constexpr int kGroup = 4;  // blocks at once: sums of gradients are then not loaded and stored too often

  Mlp(const float* p, int G) : G_(G), at_(G + X, M) {
    transpose(p + at_.w1, G + X, M, G, w1_, M);
    transpose(p + at_.w1 + G, G + X, M, X, w1_ + GP * M, M);
    std::memcpy(b1_, p + at_.b1, sizeof b1_);
    std::memcpy(w2_, p + at_.w2, sizeof w2_);
    transpose(p + at_.wl, G + X, 3, G, wl_, 3);
    transpose(p + at_.wl + G, G + X, 3, X, wl_ + GP * 3, 3);
    std::memcpy(b2_, p + at_.b2, sizeof b2_);
    columns(p + at_.w1, G + X, M, G, back_, GP);
    columns(p + at_.wl, G + X, 3, G, back_ + M * GP, GP);
  }

  // done(o, b, p, z); hidden units stay in registers.
  template <class Done>
  WYNER_LAYER void forward(RowView x, int blocks, Done done) const {
    auto begin = bias(b2_);
    for (int b = 0; b < blocks; ++b)
      for (int p = 0; p < kVecs; p += kReg) {
        V z[3][kReg];
        auto keep = [&](int o, int, int q, V v) { z[o][q - p] = v; };
        dense_tile<kInputs, 3, 3, 1>(wl_, x, 0, b, p, begin, keep);
        hidden(x, b, p, [&](int m, int r, V h) {
          for (int o = 0; o < 3; ++o) z[o][r] += h * w2_[o * M + m];
        });
        for (int o = 0; o < 3; ++o)
          for (int r = 0; r < kReg; ++r) done(o, b, p + r, z[o][r]);
      }
  }

  // From the gradients gz of z: done(i, b, p, gradient of plane i). counts: whether to the gradients of the weights, too.
  template <class Done>
  void backward(RowView x, RowView gz, int blocks, bool counts, Done done) {
    Block h[kGroup][M], g[kGroup][M + 3];  // of g, the last three are those of z
    backward_hidden(x, gz, blocks, h, g);
    if (counts) {
      outer<M, 3>(gz, view(h), blocks, gw2_);
      outer<kInputs, 3>(gz, x, blocks, gwl_);
      outer<kInputs, M>(view(g), x, blocks, gw1_);
      bias_sum<M + 3>(view(g), blocks, gb_);
    }
    dense<M + 3, GP>(back_, view(g), blocks, no_bias(), done);
  }

  void reduce(float* g) const {
    for (int o = 0; o < M; ++o) put_row(gw1_ + o * kInputs, g + at_.w1 + o * (G_ + X));
    put_sums(gb_, M, g + at_.b1);
    put_sums(gw2_, 3 * M, g + at_.w2);
    for (int o = 0; o < 3; ++o) put_row(gwl_ + o * kInputs, g + at_.wl + o * (G_ + X));
    put_sums(gb_ + M, 3, g + at_.b2);
  }

 private:
  static constexpr int kInputs = GP + X;

  void put_row(const V* sums, float* g) const {
    put_sums(sums, G_, g);
    if constexpr (X > 0) put_sums(sums + GP, X, g + G_);
  }

  // f(m, r, hidden unit m) for each of the vectors p + r.
  template <class F>
  __attribute__((always_inline)) void hidden(RowView x, int b, int p, F f) const {
    constexpr int kAtOnce = kManyRegisters ? 8 : 4;
    auto begin = bias(b1_);
    auto relu = [&](int m, int, int q, V v) { f(m, q - p, vmax(v, V{})); };
    for (int m = 0; m < M; m += kAtOnce) dense_tile<kInputs, M, kAtOnce, 1>(w1_, x, m, b, p, begin, relu);
  }

  // Hidden units, computed again rather than stored, and gradients before their ReLU.
  WYNER_LAYER void backward_hidden(RowView x, RowView gz, int blocks, Block (*h)[M], Block (*g)[M + 3]) const {
    for (int b = 0; b < blocks; ++b)
      for (int p = 0; p < kVecs; p += kReg) {
        V z[3][kReg];
        for (int o = 0; o < 3; ++o)
          for (int r = 0; r < kReg; ++r) g[b][M + o][p + r] = z[o][r] = gz(o, b, p + r);
        hidden(x, b, p, [&](int m, int r, V unit) {
          h[b][m][p + r] = unit;
          V v = z[0][r] * w2_[m];
          for (int o = 1; o < 3; ++o) v += z[o][r] * w2_[o * M + m];
          g[b][m][p + r] = where(unit > V{}, v);
        });
      }
  }

  int G_;
  SynthLayout at_;
  float w1_[kInputs * M] = {}, b1_[M], w2_[3 * M], wl_[kInputs * 3] = {}, b2_[3];  // w1 and wl input by input
  float back_[(M + 3) * GP] = {};                                        // w1, then wl, by their outputs
  V gw1_[M * kInputs] = {}, gw2_[3 * M] = {}, gwl_[3 * kInputs] = {}, gb_[M + 3] = {};
};

}  // namespace
