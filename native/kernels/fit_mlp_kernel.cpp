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
  float w1t[GP * M], w2t[M * 3], wlt[GP * 3];
  transpose(mlp.w1, M, GP, w1t);
  transpose(mlp.w2, 3, M, w2t);
  transpose(mlp.wl, 3, GP, wlt);
  V gw1[M * GP] = {}, gb1[M] = {}, gw2[3 * M] = {}, gwl[3 * GP] = {}, gb2[3] = {};
  for (int y = t.row0; y < t.row1; ++y)
    for (int x0 = 0; x0 < t.w; x0 += kBlock) {
      const long at = long(y) * t.stride + x0;
      Block x[GP], h[M], g[3], gh[M], gx[GP];
      Mlp<GP, M>::load_inputs(t.u, t.G, at, x);
      mlp.hidden(x, h);
      for (int o = 0; o < 3; ++o)
        for (int p = 0; p < kVecs; ++p) {
          const int column = x0 + p * kLanes;
          const VI inside = lane_index() + float(column) < splat(float(t.w));
          g[o][p] = as_float(as_int(load(t.gz + o * t.gz_plane + at + p * kLanes)) & inside);
        }
      bias_sum<3>(g, gb2);
      outer<M, 3>(g, h, gw2);
      outer<GP, 3>(g, x, gwl);
      dense<3, M, false, false>(w2t, nullptr, g, gh);
      relu_mask<M>(h, gh);
      bias_sum<M>(gh, gb1);
      outer<GP, M>(gh, x, gw1);
      dense<M, GP, false, false>(w1t, nullptr, gh, gx);
      dense<3, GP, false, true>(wlt, nullptr, g, gx);
      for (int i = 0; i < t.G; ++i)
        for (int p = 0; p < kVecs; ++p) store(t.gu[i] + at + p * kLanes, gx[i][p]);
    }
  const SynthLayout at(t.G, M);
  for (int o = 0; o < M; ++o) {
    for (int i = 0; i < t.G; ++i) t.gparams[at.w1 + o * t.G + i] = sum(gw1[o * GP + i]);
    t.gparams[at.b1 + o] = sum(gb1[o]);
  }
  for (int o = 0; o < 3; ++o) {
    for (int i = 0; i < M; ++i) t.gparams[at.w2 + o * M + i] = sum(gw2[o * M + i]);
    for (int i = 0; i < t.G; ++i) t.gparams[at.wl + o * t.G + i] = sum(gwl[o * GP + i]);
    t.gparams[at.b2 + o] = sum(gb2[o]);
  }
}

template <int M>
void run_m(MlpTask& t) {
  if (t.G <= 4) run<4, M>(t);
  else if (t.G <= 8) run<8, M>(t);
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
