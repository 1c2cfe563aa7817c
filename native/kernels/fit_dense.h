// Small dense layers on blocks of kBlock pixels. What a layer reads is a view: view(c, b, p) is vector p of block b of
// channel c. Loops over layers are functions of their own, since inlined into one, compilers run out of registers.
#pragma once

#include "kernels/fit_kernels.h"
#include "kernels/simd.h"

#define WYNER_LAYER __attribute__((noinline))

namespace {

constexpr int kVecs = wyner::kBlock / kLanes;  // vectors of a block
constexpr int kReg = 2;                        // of these held in registers at once
constexpr bool kManyRegisters = kLanes == 16;  // 32 of them instead of 16
using Block = V[kVecs];

// The first channels of blocks of kChannels channels each.
template <int kChannels>
struct BlockView {
  Block* at;
  V& operator()(int c, int b, int p) const { return at[b * kChannels + c][p]; }
};
template <int kChannels>
inline BlockView<kChannels> view(Block (*blocks)[kChannels], int channel = 0) {
  return {blocks[0] + channel};
}

// The same block, whichever is asked for.
struct SharedView {
  const Block* at;
  V operator()(int c, int, int p) const { return at[c][p]; }
};

// Rows of channels that lie `step` floats apart.
struct RowView {
  const float* at;
  long step;
  V operator()(int c, int b, int p) const { return load(at + c * step + b * wyner::kBlock + p * kLanes); }
};

// Channels anywhere: of block b, row rows[b][c].
template <int kChannels>
struct PointerView {
  const float* const (*rows)[kChannels];
  V operator()(int c, int b, int p) const { return load(rows[b][c] + p * kLanes); }
};

// What dense() begins with, and what it does with results.
inline auto bias(const float* b) {
  return [b](int o, int, int) { return splat(b[o]); };
}
inline auto no_bias() {
  return [](int, int, int) { return V{}; };
}
template <class View>
inline auto into(View y) {
  return [y](int o, int b, int p, V v) { y(o, b, p) = v; };
}
template <class View>
inline auto relu_into(View y) {
  return [y](int o, int b, int p, V v) { y(o, b, p) = vmax(v, V{}); };
}
// Gradient through a ReLU whose output was h, written over h.
template <class View>
inline auto relu_gradient_over(View h) {
  return [h](int o, int b, int p, V v) { h(o, b, p) = where(h(o, b, p) > V{}, v); };
}

// Into how many outputs at once a layer of n is cut, of at most `limit`; a few more passes are better than small ones.
constexpr int outputs_at_once(int n, int limit) {
  for (int d = limit; 3 * d >= 2 * limit; --d)
    if (n % d == 0) return d;
  const int passes = (n + limit - 1) / limit;
  return (n + passes - 1) / passes;
}

template <int IN, int OUT, int OB, int BB, class X, class Init, class Done>
__attribute__((always_inline)) inline void dense_tile(const float* w, X x, int o, int b, int p, Init& init, Done& done) {
  V acc[OB][BB][kReg];
  for (int j = 0; j < OB; ++j)
    for (int k = 0; k < BB; ++k)
      for (int r = 0; r < kReg; ++r) acc[j][k][r] = init(o + j, b + k, p + r);
  for (int i = 0; i < IN; ++i) {
    V xs[BB][kReg];
    for (int k = 0; k < BB; ++k)
      for (int r = 0; r < kReg; ++r) xs[k][r] = x(i, b + k, p + r);
    for (int j = 0; j < OB; ++j) {
      const V ws = splat(w[i * OUT + o + j]);
      for (int k = 0; k < BB; ++k)
        for (int r = 0; r < kReg; ++r) acc[j][k][r] += ws * xs[k][r];
    }
  }
  for (int j = 0; j < OB; ++j)
    for (int k = 0; k < BB; ++k)
      for (int r = 0; r < kReg; ++r) done(o + j, b + k, p + r, acc[j][k][r]);
}

// done(o, b, p, init(o, b, p) + sum_i w[i*OUT + o] x(i, b, p)) for each output and each vector of some blocks.
// Layers of few outputs take pairs of blocks at once.
template <int IN, int OUT, int BB, class X, class Init, class Done>
__attribute__((always_inline)) inline void dense_blocks(const float* w, X x, int b, Init& init, Done& done) {
  constexpr int OB = outputs_at_once(OUT, kManyRegisters ? 12 : 6), kRest = OUT % OB;
  for (int p = 0; p < kVecs; p += kReg) {
    for (int o = 0; o + OB <= OUT; o += OB) dense_tile<IN, OUT, OB, BB>(w, x, o, b, p, init, done);
    if constexpr (kRest > 0) dense_tile<IN, OUT, kRest, BB>(w, x, OUT - kRest, b, p, init, done);
  }
}

// done(o, b, p, init(o, b, p) + sum_i w[i*OUT + o] x(i, b, p)) for each output and each vector of some blocks.
template <int IN, int OUT, class X, class Init, class Done>
WYNER_LAYER void dense(const float* w, X x, int blocks, Init init, Done done) {
  constexpr int BB = OUT <= 2 ? 2 : 1;  // few outputs: more sums at once by pairs of blocks
  int b = 0;
  for (; b + BB <= blocks; b += BB) dense_blocks<IN, OUT, BB>(w, x, b, init, done);
  for (; b < blocks; ++b) dense_blocks<IN, OUT, 1>(w, x, b, init, done);
}

template <int OB, int IB, class G, class X>
__attribute__((always_inline)) inline void outer_tile(G g, int o, X x, int i, int blocks, V* acc, int step) {
  V s[OB][IB];
  for (int j = 0; j < OB; ++j)
    for (int k = 0; k < IB; ++k) s[j][k] = acc[j * step + k];
  for (int b = 0; b < blocks; ++b)
    for (int p = 0; p < kVecs; ++p)
      for (int j = 0; j < OB; ++j)
        for (int k = 0; k < IB; ++k) s[j][k] += g(o + j, b, p) * x(i + k, b, p);
  for (int j = 0; j < OB; ++j)
    for (int k = 0; k < IB; ++k) acc[j * step + k] = s[j][k];
}

// acc[o*IN + i] += sum over the vectors of some blocks of g(o) x(i), by lane.
template <int IN, int OUT, class G, class X>
WYNER_LAYER void outer(G g, X x, int blocks, V* acc) {
  constexpr int OB = OUT % 4 == 0 ? 4 : OUT % 3 == 0 ? 3 : OUT, IB = (kManyRegisters ? 16 : 12) / OB, kRest = IN % IB;
  static_assert(OB <= 4);
  for (int o = 0; o < OUT; o += OB) {
    for (int i = 0; i + IB <= IN; i += IB) outer_tile<OB, IB>(g, o, x, i, blocks, acc + o * IN + i, IN);
    if constexpr (kRest > 0)
      outer_tile<OB, kRest>(g, o, x, IN - kRest, blocks, acc + (o + 1) * IN - kRest, IN);
  }
}

// acc[o] += sum over the vectors of some blocks of g(o), by lane.
template <int OUT, class G>
inline void bias_sum(G g, int blocks, V* acc) {
  for (int o = 0; o < OUT; ++o) {
    V s = acc[o];
    for (int b = 0; b < blocks; ++b)
      for (int p = 0; p < kVecs; ++p) s += g(o, b, p);
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
  for (int i = 0; i < n; i += kLanes) {
    V part[kLanes];
    for (int k = 0; k < kLanes; ++k) part[k] = i + k < n ? v[i + k] : V{};
    for (int m = kLanes / 2; m > 0; m /= 2)  // pairs of lanes of pairs of vectors: at last, lane k sums vector k
      for (int k = 0; k < m; ++k)
        part[k] = even_lanes(part[2 * k], part[2 * k + 1]) + odd_lanes(part[2 * k], part[2 * k + 1]);
    float sums[kLanes];
    store(sums, part[0]);
    std::memcpy(dst + i, sums, sizeof(float) * (n - i < kLanes ? n - i : kLanes));
  }
}

}  // namespace
