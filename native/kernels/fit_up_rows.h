// Rows of the upsampling by two, forward and backward (docs/spec/overfit.md, section 8): separable, along columns
// first, then along rows. Indices outside a plane mean its edge.
//
// With sums s_k of shifted gradients, a filter sum_k c_k in[x + k] has the input gradient sum_k c_k s_k and the tap
// gradients sum_x in[x] s_k[x]: one loop computes both.
#pragma once

#include "kernels/fit_split.h"

namespace {

// By value, since the compiler must assume that a store to a row changes what a pointer to the taps reads.
struct Taps {
  float k[4];
  explicit Taps(const float* p) : k{p[0], p[1], p[2], p[3]} {}
  float operator[](int i) const { return k[i]; }
};

inline void pad_edges(float* row, int w, int pad) {
  for (int i = 1; i <= pad; ++i) {
    row[-i] = row[0];
    row[w - 1 + i] = row[w - 1];
  }
}

// Contributions to indices outside [0, w) belong to the edge.
inline void fold_edges(float* row, int w, int pad) {
  for (int i = 1; i <= pad; ++i) {
    row[0] += row[-i];
    row[w - 1] += row[w - 1 + i];
    row[-i] = row[w - 1 + i] = 0;
  }
}

// Rows 2n and 2n + 1 of a doubled plane from rows n - 2 .. n + 2, w columns, two edge values either side.
inline void double_rows(const float* const r[5], Taps c, int w, float* even, float* odd) {
  for (int x = 0; x < w; x += kLanes) {
    const V a = load(r[0] + x), b = load(r[1] + x), m = load(r[2] + x), d = load(r[3] + x), e = load(r[4] + x);
    store(even + x, a * c[0] + b * c[1] + m * c[2] + d * c[3]);
    store(odd + x, b * c[3] + m * c[2] + d * c[1] + e * c[0]);
  }
  pad_edges(even, w, 2);
  pad_edges(odd, w, 2);
}

// done(x, even columns, odd columns) for each vector of the row, which has two edge values either side.
template <class Done>
inline void double_columns(const float* row, Taps c, int w, Done done) {
  for (int x = 0; x < w; x += kLanes) {
    const V a = load(row + x - 2), b = load(row + x - 1), m = load(row + x), d = load(row + x + 1),
            e = load(row + x + 2);
    done(x, a * c[0] + b * c[1] + m * c[2] + d * c[3], b * c[3] + m * c[2] + d * c[1] + e * c[0]);
  }
}

// g = gradient of double_columns' row, from the halves of that of its output, which are zero outside the picture;
// with v, that row, tap gradients too. Halves, v and g have kPad floats either side.
inline void double_columns_backward(const float* even, const float* odd, Taps c, int w, const float* v, float* g,
                                    V* gtaps) {
  V sums[4] = {gtaps[0], gtaps[1], gtaps[2], gtaps[3]};
  for (int x = -kLanes; x < w + 2; x += kLanes) {
    V total{};
    for (int k = 0; k < 4; ++k) {
      const V s = load(even + x + 2 - k) + load(odd + x - 2 + k);
      total += s * c[k];
      if (v) sums[k] += s * load(v + x);
    }
    store(g + x, total);
  }
  for (int k = 0; k < 4; ++k) gtaps[k] = sums[k];
  fold_edges(g, w, 2);
}

// dst (+)= the gradient of row n of a plane, from those of rows 2 (n + 2 - k) and 2 (n - 2 + k) + 1 of the doubled one;
// `in` is row n itself, for tap gradients.
template <bool kAdd>
inline void double_rows_backward(const float* const even[4], const float* const odd[4], Taps c, int w, const float* in,
                                 float* dst, V* gtaps) {
  V sums[4] = {gtaps[0], gtaps[1], gtaps[2], gtaps[3]};
  for (int x = 0; x < w; x += kLanes) {
    const V value = load(in + x);
    V total = kAdd ? load(dst + x) : V{};
    for (int k = 0; k < 4; ++k) {
      const V s = load(even[k] + x) + load(odd[k] + x);
      total += s * c[k];
      sums[k] += s * value;
    }
    store(dst + x, total);
  }
  for (int k = 0; k < 4; ++k) gtaps[k] = sums[k];
}

// All that reaches row n, with the virtual rows beyond an edge. rows_of(n, even, odd) names the gradients' rows.
template <class RowsOf>
inline void double_rows_backward(int n, int h, Taps c, int w, const float* in, float* dst, V* gtaps, RowsOf rows_of) {
  const float *even[4], *odd[4];
  rows_of(n, even, odd);
  double_rows_backward<false>(even, odd, c, w, in, dst, gtaps);
  for (int i = 1; i <= 2; ++i) {
    if (n == 0) {
      rows_of(-i, even, odd);
      double_rows_backward<true>(even, odd, c, w, in, dst, gtaps);
    }
    if (n == h - 1) {
      rows_of(n + i, even, odd);
      double_rows_backward<true>(even, odd, c, w, in, dst, gtaps);
    }
  }
}

}  // namespace
