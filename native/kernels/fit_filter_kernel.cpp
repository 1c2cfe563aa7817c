// Upsampling by two and the symmetric filter before it, forward and backward (docs/spec/overfit.md, section 8).
// Planes of gradients are zero outside the picture, and stay so.
#include "kernels/fit_up_rows.h"

namespace wyner::WYNER_ISA {
void up_forward(FilterTask& t);
void up_backward(FilterTask& t);
void pre_forward(FilterTask& t);
void pre_backward(FilterTask& t);
int filter_scratch(int rows, int width);
}  // namespace wyner::WYNER_ISA

namespace {
using namespace wyner;

inline int imin(int a, int b) { return a < b ? a : b; }
inline int imax(int a, int b) { return a > b ? a : b; }
inline int row_floats(int width) { return round_up(width, 16) + 64; }

const float* in_row(const FilterTask& t, int n) { return t.in + long(clampi(n, 0, t.in_h - 1)) * t.in_stride; }

// Rows of gradients of a strip; those outside it are zero.
struct GradientRows {
  float *zero, *rows;
  int first, last, width;
  float* at(int y) const { return y >= first && y < last ? rows + (y - first) * width : zero; }
};

// ---- symmetric 7-tap filter ---------------------------------------------------------------------

// Pairs that a tap meets: x[m] + x[-m] for m = 1..3, x[0] for m = 0, along columns or rows.
struct ColumnPairs {
  const float* row;
  V operator()(int m, int x) const { return m ? load(row + x - m) + load(row + x + m) : load(row + x); }
};
struct RowPairs {
  const float* rows[7];
  V operator()(int m, int x) const {
    return m ? load(rows[3 - m] + x) + load(rows[3 + m] + x) : load(rows[3] + x);
  }
};

// out = sum_m d[m] pairs(m), or added to out. Backward, pairs are of gradients: with `in`, which was filtered, tap
// gradients too.
template <bool kAdd, bool kTaps, class Pairs>
void filter(Pairs pairs, Taps d, int begin, int end, float* out, const float* in, V* gtaps) {
  V sums[4] = {};
  for (int x = begin; x < end; x += kLanes) {
    V total = kAdd ? load(out + x) : V{};
    for (int m = 0; m < 4; ++m) {
      const V s = pairs(m, x);
      total += s * d[m];
      if (kTaps) sums[m] += s * load(in + x);
    }
    store(out + x, total);
  }
  for (int m = 0; kTaps && m < 4; ++m) gtaps[m] += sums[m];
}

// Row y filtered along columns only.
void pre_vertical(const FilterTask& t, int y, float* row) {
  RowPairs pairs;
  for (int j = 0; j < 7; ++j) pairs.rows[j] = in_row(t, y - 3 + j);
  filter<false, false>(pairs, Taps(t.taps), 0, t.in_w, row, nullptr, nullptr);
  pad_edges(row, t.in_w, 3);
}

// g = gradient of pre_vertical's row, from row y of those of the result; with v, that row, tap gradients too.
void pre_horizontal_backward(const FilterTask& t, int y, const float* v, float* g, V* gtaps) {
  const ColumnPairs pairs{t.gout + long(y) * t.out_stride};
  if (v) filter<false, true>(pairs, Taps(t.taps), -kLanes, t.in_w + 3, g, v, gtaps);
  else filter<false, false>(pairs, Taps(t.taps), -kLanes, t.in_w + 3, g, nullptr, nullptr);
  fold_edges(g, t.in_w, 3);
}

// Adds the gradient that filtered rows ask of input row n; `row` is n, or a row beyond the edge that stands for it.
void pre_vertical_backward(const FilterTask& t, int n, int row, const GradientRows& g, V* gtaps) {
  RowPairs pairs;
  for (int j = 0; j < 7; ++j) pairs.rows[j] = g.at(row - 3 + j);
  filter<true, true>(pairs, Taps(t.taps), 0, t.in_w, t.gin + long(n) * t.in_stride, in_row(t, n), gtaps);
}

// Rows 2n and 2n + 1 of the doubled plane, doubled along columns only.
void double_rows_of(const FilterTask& t, int n, float* even, float* odd) {
  const float* r[5];
  for (int j = 0; j < 5; ++j) r[j] = in_row(t, n - 2 + j);
  double_rows(r, Taps(t.taps), t.in_w, even, odd);
}

// `count` zero rows at the start of the scratch, with room for edges to the left of each.
float* zero_rows(const FilterTask& t, int count, int width) {
  std::memset(t.scratch, 0, sizeof(float) * (count * width + 16));
  return t.scratch + 16;
}

}  // namespace

namespace wyner::WYNER_ISA {

int filter_scratch(int rows, int width) { return (2 * rows + 24) * row_floats(width); }

void up_forward(FilterTask& t) {
  const Taps c(t.taps);
  float* even = t.scratch + 16;
  float* odd = even + row_floats(t.in_w);
  for (int y = t.row0; y < t.row1; y += 2) {  // row0 is even
    double_rows_of(t, y >> 1, even, odd);
    for (int k = 0; k < 2 && y + k < t.row1; ++k) {
      float* out = t.out + long(y + k) * t.out_stride;
      double_columns(k ? odd : even, c, t.in_w, [out](int x, V a, V b) { store_interleaved(out + 2 * x, a, b); });
    }
  }
}

void up_backward(FilterTask& t) {
  const int width = row_floats(t.in_w);
  const Taps c(t.taps);
  float* zero = zero_rows(t, 5, width);
  float *v[2] = {zero + width, zero + 2 * width}, *even = zero + 3 * width, *odd = zero + 4 * width;
  const int first = imax(2 * t.row0 - 4, 0), last = imin(2 * t.row1 + 4, t.out_h);
  const GradientRows g{zero, zero + 5 * width, first, last, width};
  V gtaps[4] = {};
  for (int y = first; y < last; ++y) {
    const bool own = y >= 2 * t.row0 && y < 2 * t.row1;
    if (own && !(y & 1)) double_rows_of(t, y >> 1, v[0], v[1]);
    split_row(t.gout + long(y) * t.out_stride, t.out_w, even, odd);
    double_columns_backward(even, odd, c, t.in_w, own ? v[y & 1] : nullptr, g.at(y), gtaps);
  }
  for (int n = t.row0; n < t.row1; ++n)
    double_rows_backward(n, t.in_h, c, t.in_w, in_row(t, n), t.gin + long(n) * t.in_stride, gtaps,
                         [&](int row, const float** e, const float** o) {
                           for (int k = 0; k < 4; ++k) {
                             e[k] = g.at(2 * (row + 2 - k));
                             o[k] = g.at(2 * (row - 2 + k) + 1);
                           }
                         });
  for (int k = 0; k < 4; ++k) t.gtaps[k] = sum(gtaps[k]);
}

void pre_forward(FilterTask& t) {
  float* row = t.scratch + 16;
  for (int y = t.row0; y < t.row1; ++y) {
    pre_vertical(t, y, row);
    filter<false, false>(ColumnPairs{row}, Taps(t.taps), 0, t.in_w, t.out + long(y) * t.out_stride, nullptr, nullptr);
  }
}

void pre_backward(FilterTask& t) {
  const int width = row_floats(t.in_w);
  float* zero = zero_rows(t, 2, width);
  float* v = zero + width;
  const int first = imax(t.row0 - 3, 0), last = imin(t.row1 + 3, t.out_h);
  const GradientRows g{zero, zero + 2 * width, first, last, width};
  V gtaps[4] = {};
  for (int y = first; y < last; ++y) {
    const bool own = y >= t.row0 && y < t.row1;
    if (own) pre_vertical(t, y, v);
    pre_horizontal_backward(t, y, own ? v : nullptr, g.at(y), gtaps);
  }
  for (int n = t.row0; n < t.row1; ++n) {
    pre_vertical_backward(t, n, n, g, gtaps);
    for (int i = 1; i <= 3; ++i) {
      if (n == 0) pre_vertical_backward(t, n, -i, g, gtaps);
      if (n == t.in_h - 1) pre_vertical_backward(t, n, n + i, g, gtaps);
    }
  }
  for (int m = 0; m < 4; ++m) t.gtaps[m] = sum(gtaps[m]);
}

}  // namespace wyner::WYNER_ISA
