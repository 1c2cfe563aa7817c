// The 1x1 layers of the synthesis, forward and backward, on groups of blocks of pixels.
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

// GP is at least the number of planes; planes and weights beyond it are 0.
template <int GP, int M>
class Mlp {
 public:
  static constexpr int kGroup = 4;  // blocks at once: sums of gradients are then not loaded and stored too often
  // hx: M hidden units, and from M on the GP planes.
  using Inputs = Block[kGroup][M + GP];
  using Planes = Block[kGroup][GP];

  Mlp(const float* p, int G) : G_(G), at_(G, M) {
    columns(p + at_.w1, G, M, G, w1_, GP);
    std::memcpy(b1_, p + at_.b1, sizeof b1_);
    columns(p + at_.w2, M, 3, M, out_w_, M + GP);
    columns(p + at_.wl, G, 3, G, out_w_ + M, M + GP);
    std::memcpy(b2_, p + at_.b2, sizeof b2_);
    transpose(out_w_, M + GP, 3, M, w2t_, 3);
    transpose(w1_, GP, M, GP, in_wt_, M + 3);
    transpose(out_w_ + M, M + GP, 3, GP, in_wt_ + M, M + 3);
  }

  void forward(Inputs& hx, Block (*z)[3], int blocks) const {
    hidden(hx, blocks);
    for (int b = 0; b < blocks; ++b) dense<M + GP, 3>(out_w_, hx[b], bias(b2_), into(z[b]));
  }

  // gz: the gradients of z from M on. gx: out, of the planes.
  void backward(Inputs& hx, Block (*gz)[M + 3], Planes& gx, int blocks) {
    hidden(hx, blocks);  // computed again rather than stored
    outer<M + GP, 3>({gz[0] + M, M + 3}, {hx[0], M + GP}, blocks, gout_);
    bias_sum<3>({gz[0] + M, M + 3}, blocks, gb2_);
    for (int b = 0; b < blocks; ++b)
      dense<3, M>(w2t_, gz[b] + M, no_bias(), [g = gz[b], h = hx[b]](int o, int p, V v) {
        g[o][p] = where(h[o][p] > V{}, v);
      });
    outer<GP, M>({gz[0], M + 3}, {hx[0] + M, M + GP}, blocks, gw1_);
    bias_sum<M>({gz[0], M + 3}, blocks, gb1_);
    for (int b = 0; b < blocks; ++b) dense<M + 3, GP>(in_wt_, gz[b], no_bias(), into(gx[b]));
  }

  void reduce(float* g) const {
    for (int o = 0; o < M; ++o) put_sums(gw1_ + o * GP, G_, g + at_.w1 + o * G_);
    put_sums(gb1_, M, g + at_.b1);
    for (int o = 0; o < 3; ++o) {
      put_sums(gout_ + o * (M + GP), M, g + at_.w2 + o * M);
      put_sums(gout_ + o * (M + GP) + M, G_, g + at_.wl + o * G_);
    }
    put_sums(gb2_, 3, g + at_.b2);
  }

 private:
  void hidden(Inputs& hx, int blocks) const {
    for (int b = 0; b < blocks; ++b) dense<GP, M>(w1_, hx[b] + M, bias(b1_), relu_into(hx[b]));
  }

  int G_;
  SynthLayout at_;
  float w1_[M * GP] = {}, b1_[M], out_w_[3 * (M + GP)] = {}, b2_[3];
  float w2t_[M * 3], in_wt_[GP * (M + 3)];  // rows of in_wt: columns of w1, then of wl
  V gw1_[M * GP] = {}, gb1_[M] = {}, gout_[3 * (M + GP)] = {}, gb2_[3] = {};
};

}  // namespace
