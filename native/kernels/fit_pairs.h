// Small dense layers in bfloat16, for processors that multiply pairs of it: what fit_dense.h does with half as many
// instructions. Channels lie in pairs, one vector of 32-bit words holding two of them, the first in the low halves.
// Products and sums are of single precision.
#pragma once

#include <immintrin.h>

#include "kernels/fit_dense.h"
#include "kernels/fit_quads.h"

namespace {

using Pairs = VI[kVecs];  // of a block, two channels

// The first pairs of channels of blocks of kPairs each.
template <int kPairs>
struct PairView {
  Pairs* at;
  VI& operator()(int c, int b, int p) const { return at[b * kPairs + c][p]; }
};

// Rounds to nearest; of two equally near, away from 0.
inline VI paired(V low, V high) {
  const VI a = as_int(low) + 0x8000, b = (as_int(high) + 0x8000) & int32_t(0xffff0000);
  return VI(VU(a) >> 16) | b;
}
inline V low_of(VI pair) { return as_float(pair << 16); }
inline V high_of(VI pair) { return as_float(pair & int32_t(0xffff0000)); }

inline V multiply_add(V sum, VI a, VI b) {
  return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b));
}

// Halves of `pair` where those of a ReLU's outputs are positive.
inline VI gated(VI outputs, VI pair) {
  const __m512i zero = _mm512_setzero_si512();
  const __mmask32 positive = _mm512_cmpgt_epi16_mask(reinterpret_cast<__m512i>(outputs), zero);
  return reinterpret_cast<VI>(_mm512_maskz_mov_epi16(positive, reinterpret_cast<__m512i>(pair)));
}

// Weights, input by input, as pairs of inputs.
template <int IN, int OUT>
struct PairWeights {
  static_assert(IN % 2 == 0 && OUT % 2 == 0);
  int32_t at[IN / 2 * OUT];

  explicit PairWeights(const float* w) {
    for (int i = 0; i < IN; i += 2)
      for (int o = 0; o < OUT; ++o) at[i / 2 * OUT + o] = paired(splat(w[i * OUT + o]), splat(w[(i + 1) * OUT + o]))[0];
  }
};

template <int IN, int OUT, int OB, int BB, class X, class Init, class Done>
__attribute__((always_inline)) inline void pair_tile(const int32_t* w, X x, int o, int b, int p, Init& init, Done& done) {
  V acc[OB][BB][kReg];
  for (int j = 0; j < OB; ++j)
    for (int k = 0; k < BB; ++k)
      for (int r = 0; r < kReg; ++r) acc[j][k][r] = init(o + j, b + k, p + r);
  for (int i = 0; i < IN / 2; ++i) {
    VI xs[BB][kReg];
    for (int k = 0; k < BB; ++k)
      for (int r = 0; r < kReg; ++r) xs[k][r] = x(i, b + k, p + r);
    for (int j = 0; j < OB; ++j) {
      const VI ws = w[i * OUT + o + j] - VI{};
      for (int k = 0; k < BB; ++k)
        for (int r = 0; r < kReg; ++r) acc[j][k][r] = multiply_add(acc[j][k][r], xs[k][r], ws);
    }
  }
  for (int j = 0; j < OB; j += 2)
    for (int k = 0; k < BB; ++k)
      for (int r = 0; r < kReg; ++r) done(o + j, b + k, p + r, acc[j][k][r], acc[j + 1][k][r]);
}

template <int IN, int OUT, int BB, class X, class Init, class Done>
__attribute__((always_inline)) inline void pair_blocks(const int32_t* w, X x, int b, Init& init, Done& done) {
  constexpr int OB = (outputs_at_once(OUT, 12) + 1) / 2 * 2, kRest = OUT % OB;
  for (int p = 0; p < kVecs; p += kReg) {
    for (int o = 0; o + OB <= OUT; o += OB) pair_tile<IN, OUT, OB, BB>(w, x, o, b, p, init, done);
    if constexpr (kRest > 0) pair_tile<IN, OUT, kRest, BB>(w, x, OUT - kRest, b, p, init, done);
  }
}

// As dense(), with done(o, b, p, result o, result o + 1) for every other output.
template <int IN, int OUT, class X, class Init, class Done>
WYNER_LAYER void dense_pairs(const PairWeights<IN, OUT>& w, X x, int blocks, Init init, Done done) {
  constexpr int BB = OUT <= 2 ? 2 : 1;
  int b = 0;
  for (; b + BB <= blocks; b += BB) pair_blocks<IN, OUT, BB>(w.at, x, b, init, done);
  for (; b < blocks; ++b) pair_blocks<IN, OUT, 1>(w.at, x, b, init, done);
}

// One vector per channel of a block: what gradients of weights are sums over. Two pixels to a word.
static_assert(kVecs == 2);
template <int kChannels>
struct Across {
  VI at[kPhases][kChannels];

  template <class View>
  explicit Across(View pairs) {
    for (int b = 0; b < kPhases; ++b)
      for (int c = 0; c < kChannels / 2; ++c) {
        const VI first = pairs(c, b, 0), second = pairs(c, b, 1);
        at[b][2 * c] = (first & 0xffff) | (second << 16);
        at[b][2 * c + 1] = VI(VU(first) >> 16) | (second & int32_t(0xffff0000));
      }
  }
};

template <int OB, int IB, int IN, int OUT>
__attribute__((always_inline)) inline void across_tile(const Across<OUT>& g, int o, const Across<IN>& x, int i, V* acc) {
  V s[OB][IB];
  for (int j = 0; j < OB; ++j)
    for (int k = 0; k < IB; ++k) s[j][k] = acc[j * IN + k];
  for (int b = 0; b < kPhases; ++b)
    for (int j = 0; j < OB; ++j)
      for (int k = 0; k < IB; ++k) s[j][k] = multiply_add(s[j][k], g.at[b][o + j], x.at[b][i + k]);
  for (int j = 0; j < OB; ++j)
    for (int k = 0; k < IB; ++k) acc[j * IN + k] = s[j][k];
}

// acc[o*IN + i] += sum over the pixels of the blocks of g(o) x(i), by lane.
template <int IN, int OUT>
WYNER_LAYER void outer_across(const Across<OUT>& g, const Across<IN>& x, V* acc) {
  constexpr int OB = OUT % 4 == 0 ? 4 : 2, IB = 16 / OB, kRest = IN % IB;
  for (int o = 0; o < OUT; o += OB) {
    for (int i = 0; i + IB <= IN; i += IB) across_tile<OB, IB>(g, o, x, i, acc + o * IN + i);
    if constexpr (kRest > 0) across_tile<OB, kRest>(g, o, x, IN - kRest, acc + (o + 1) * IN - kRest);
  }
}

// acc[o] += sum over the pixels of the blocks of g(o), by lane.
template <int OUT>
inline void sum_across(const Across<OUT>& g, V* acc) {
  const VI ones = int32_t(0x3f803f80) - VI{};
  for (int o = 0; o < OUT; ++o)
    for (int b = 0; b < kPhases; ++b) acc[o] = multiply_add(acc[o], g.at[b][o], ones);
}

template <class View>
inline auto relu_pairs_into(View y) {
  return [y](int o, int b, int p, V low, V high) { y(o / 2, b, p) = paired(vmax(low, V{}), vmax(high, V{})); };
}
template <class View>
inline auto gated_pairs_over(View h) {
  return [h](int o, int b, int p, V low, V high) { h(o / 2, b, p) = gated(h(o / 2, b, p), paired(low, high)); };
}

}  // namespace
