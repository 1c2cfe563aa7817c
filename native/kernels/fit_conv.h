// 3x3 filters between three channels of split rows: forward, transposed, and gradients of the weights.
// Filters are c[o][i][row][column]; pixels outside the picture are those of its edge.
#pragma once

#include "kernels/fit_dense.h"
#include "kernels/fit_split.h"

namespace {

// One row of the source and the row of the filter that meets it.
struct Tap {
  int y, k;
};
struct Taps3 {
  Tap at[5];
  int count;
};

// Rows that row y of the output reads.
inline Taps3 taps_forward(int y, int h) {
  return {{{clampi(y - 1, 0, h - 1), 0}, {y, 1}, {clampi(y + 1, 0, h - 1), 2}}, 3};
}

// Rows of gradients that row y of the input is reached from; what rows outside the picture see is their edge.
inline Taps3 taps_transposed(int y, int h) {
  Taps3 t{};
  auto add = [&](int yy, int k) {
    if (yy >= 0 && yy < h) t.at[t.count++] = {yy, k};
  };
  for (int k = 0; k < 3; ++k) add(y + 1 - k, k);
  if (y == 0) add(0, 0);
  if (y == h - 1) add(h - 1, 2);
  return t;
}

// Weights by row of the filter, source, column and result.
struct ConvWeights {
  float at[3][3][3][3];

  static ConvWeights forward(const float* c) {
    ConvWeights w;
    for (int i = 0; i < 81; ++i) w.at[i / 3 % 3][i / 9 % 3][i % 3][i / 27] = c[i];
    return w;
  }
  static ConvWeights transposed(const float* c) {
    ConvWeights w;
    for (int i = 0; i < 81; ++i) w.at[i / 3 % 3][i / 27][2 - i % 3][i / 9 % 3] = c[i];
    return w;
  }
};

// done(x, sums of even columns, sums of odd columns), three channels each, for every vector of half a row.
template <class Done>
inline void conv_row(const Ring& in, const Taps3& taps, int w, const ConvWeights& weights, const float* d, Done done) {
  const int half = in.half, count = count_of(w, 0);
  for (int x = 0; x < count; x += kLanes) {
    V even[3], odd[3];
    for (int o = 0; o < 3; ++o) even[o] = odd[o] = d ? splat(d[o]) : V{};
    for (int j = 0; j < taps.count; ++j)
      for (int i = 0; i < 3; ++i) {
        const float* s = in.at(taps.at[j].y, i) + x;
        const V at[4] = {load(s + half - 1), load(s), load(s + half), load(s + 1)};  // four columns in order
        for (int dx = 0; dx < 3; ++dx)
          for (int o = 0; o < 3; ++o) {
            const V weight = splat(weights.at[taps.at[j].k][i][dx][o]);
            even[o] += weight * at[dx];
            odd[o] += weight * at[dx + 1];
          }
      }
    done(x, even, odd);
  }
}

// What a transposed filter has yet to add to row y of `out` at the first and at the last column, for the columns outside.
// Only where `gate`, if any, is positive.
inline void add_edges(const Ring& g, const Taps3& taps, int w, const float* c, const Ring& out, int y, const Ring* gate) {
  for (int side = 0; side < 2; ++side)
    for (int i = 0; i < 3; ++i) {
      const int x = side ? w - 1 : 0;
      if (gate && gate->column(y, i, x) <= 0) continue;
      for (int j = 0; j < taps.count; ++j)
        for (int o = 0; o < 3; ++o)
          out.column(y, i, x) += c[o * 27 + i * 9 + taps.at[j].k * 3 + 2 * side] * g.column(taps.at[j].y, o, x);
    }
}

// Sums by lane of the gradients of a filter and its bias.
struct ConvGradients {
  V c[81] = {}, d[3] = {};

  // Row y: g are gradients, zero outside the picture, and in what was filtered.
  void add(const Ring& g, const Ring& in, int y, int h, int w) {
    const int half = in.half, count = count_of(w, 0);
    for (int o = 0; o < 3; ++o)
      for (int x = 0; x < count; x += kLanes) d[o] += load(g.at(y, o) + x) + load(g.at(y, o) + half + x);
    for (int i = 0; i < 3; ++i)
      for (int k = 0; k < 3; ++k) add_row(g, y, in.at(clampi(y + k - 1, 0, h - 1), i), count, c + i * 9 + k * 3);
  }

  void reduce(float* gc, float* gd) const {
    put_sums(c, 81, gc);
    put_sums(d, 3, gd);
  }

 private:
  static void add_row(const Ring& g, int y, const float* s, int count, V* out) {
    const int half = g.half;
    V acc[3][3];
    for (int o = 0; o < 3; ++o)
      for (int dx = 0; dx < 3; ++dx) acc[o][dx] = out[o * 27 + dx];
    for (int x = 0; x < count; x += kLanes) {
      const V at[4] = {held(load(s + x + half - 1)), held(load(s + x)), held(load(s + x + half)),
                       held(load(s + x + 1))};
      for (int o = 0; o < 3; ++o) {
        const V even = held(load(g.at(y, o) + x)), odd = held(load(g.at(y, o) + half + x));
        for (int dx = 0; dx < 3; ++dx) {
          acc[o][dx] += even * at[dx];
          acc[o][dx] += odd * at[dx + 1];
        }
      }
    }
    for (int o = 0; o < 3; ++o)
      for (int dx = 0; dx < 3; ++dx) out[o * 27 + dx] = acc[o][dx];
  }
};

}  // namespace
