// Backward pass of the 1x1 layers of the synthesis; hidden units are computed again rather than stored.
#include "kernels/fit_mlp.h"

namespace wyner::WYNER_ISA {
void fit_mlp(MlpTask& t);
}  // namespace wyner::WYNER_ISA

namespace {
using namespace wyner;

template <int GP, int M>
void run(MlpTask& t) {
  const Mlp<GP, M> mlp(t.params, t.G);
  float w2t[M * 3], in_wt[GP * (M + 3)];  // rows of in_wt: columns of w1, then of wl
  for (int o = 0; o < 3; ++o) {
    transpose(mlp.out_w + o * (M + GP), 1, M, w2t + o, 3);
    transpose(mlp.out_w + o * (M + GP) + M, 1, GP, in_wt + M + o, M + 3);
  }
  transpose(mlp.w1, M, GP, in_wt, M + 3);
  V gw1[M * GP] = {}, gout[3 * (M + GP)] = {};
  for (int y = t.row0; y < t.row1; ++y)
    for (int x0 = 0; x0 < t.w; x0 += kBlock) {
      const long at = long(y) * t.stride + x0;
      Block hx[M + GP], back[M + 3], gx[GP];
      Block *h = hx, *x = hx + M, *gh = back, *g = back + M;
      Mlp<GP, M>::load_inputs(t.u, t.G, at, x);
      mlp.hidden(hx);
      for (int o = 0; o < 3; ++o) prefetch_block(t.gz + o * t.gz_plane + at + 2 * kBlock);
      for (int o = 0; o < 3; ++o)
        for (int p = 0; p < kVecs; ++p) {
          const VI inside = lane_index() + float(x0 + p * kLanes) < splat(float(t.w));
          g[o][p] = as_float(as_int(load(t.gz + o * t.gz_plane + at + p * kLanes)) & inside);
        }
      outer<M + GP, 3>(g, hx, gout);
      dense<3, M>(w2t, nullptr, g, gh, [&](int o, int p, V v) { return where(h[o][p] > V{}, v); });
      outer<GP, M>(gh, x, gw1);
      dense<M + 3, GP>(in_wt, nullptr, back, gx);
      for (int i = 0; i < t.G; ++i)
        for (int p = 0; p < kVecs; ++p) store(t.gu[i] + at + p * kLanes, gx[i][p]);
    }
  const SynthLayout at(t.G, M);
  for (int o = 0; o < M; ++o) {
    for (int i = 0; i < t.G; ++i) t.gparams[at.w1 + o * t.G + i] = sum(gw1[o * GP + i]);
    t.gparams[at.b1 + o] = sum(gw1[o * GP + t.G]);
  }
  for (int o = 0; o < 3; ++o) {
    const V* row = gout + o * (M + GP);
    for (int i = 0; i < M; ++i) t.gparams[at.w2 + o * M + i] = sum(row[i]);
    for (int i = 0; i < t.G; ++i) t.gparams[at.wl + o * t.G + i] = sum(row[M + i]);
    t.gparams[at.b2 + o] = sum(row[M + t.G]);
  }
}

template <int M>
void run_m(MlpTask& t) {
  if (t.G < 4) run<4, M>(t);
  else if (t.G < 8) run<8, M>(t);
  else run<12, M>(t);
}

}  // namespace

namespace wyner::WYNER_ISA {

void fit_mlp(MlpTask& t) {
  if (t.M == 8) run_m<8>(t);
  else if (t.M == 16) run_m<16>(t);
  else run_m<32>(t);
}

}  // namespace wyner::WYNER_ISA
