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

// x[m] + x[-m] for m = 1..3, x[0] for m = 0, where x[m] is a row.
inline V pair(const float* const* rows, int m, int x) {
  return m ? load(rows[3 - m] + x) + load(rows[3 + m] + x) : load(rows[3] + x);
}
inline V pair(const float* row, int m) { return m ? load(row - m) + load(row + m) : load(row); }

void pre_vertical(const FilterTask& t, int y, float* row) {
  const Taps d(t.taps);
  const float* in[7];
  for (int j = 0; j < 7; ++j) in[j] = in_row(t, y - 3 + j);
  for (int x = 0; x < t.in_w; x += kLanes) {
    V s{};
    for (int m = 0; m < 4; ++m) s += pair(in, m, x) * d[m];
    store(row + x, s);
  }
  pad_edges(row, t.in_w, 3);
}

void pre_horizontal(const float* row, Taps d, int n, float* out) {
  for (int x = 0; x < n; x += kLanes) {
    V s{};
    for (int m = 0; m < 4; ++m) s += pair(row + x, m) * d[m];
    store(out + x, s);
  }
}

// g = gradient of pre_horizontal's row from that of its output, src; with v, that row, tap gradients too.
void pre_horizontal_backward(const float* src, Taps d, int n, const float* v, float* g, V* gtaps) {
  V sums[4] = {gtaps[0], gtaps[1], gtaps[2], gtaps[3]};
  for (int x = -3; x < round_up(n, kLanes) + 3; x += kLanes) {
    V total{};
    for (int m = 0; m < 4; ++m) {
      const V s = pair(src + x, m);
      total += s * d[m];
      if (v) sums[m] += s * load(v + x);
    }
    store(g + x, total);
  }
  for (int m = 0; m < 4; ++m) gtaps[m] = sums[m];
  fold_edges(g, n, 3);
}

void pre_vertical_taps(const FilterTask& t, int y, const float* g, V* gtaps) {
  const float* in[7];
  for (int j = 0; j < 7; ++j) in[j] = in_row(t, y - 3 + j);
  V sums[4] = {gtaps[0], gtaps[1], gtaps[2], gtaps[3]};
  for (int x = 0; x < t.in_w; x += kLanes)
    for (int m = 0; m < 4; ++m) sums[m] += load(g + x) * pair(in, m, x);
  for (int m = 0; m < 4; ++m) gtaps[m] = sums[m];
}

// dst += the gradient that output rows ask of (virtual) input row n.
void pre_vertical_backward(const FilterTask& t, int n, float* dst, const GradientRows& g) {
  const Taps d(t.taps);
  const float* rows[7];
  for (int j = 0; j < 7; ++j) rows[j] = g.at(n - 3 + j);
  for (int x = 0; x < t.in_w; x += kLanes) {
    V s = load(dst + x);
    for (int m = 0; m < 4; ++m) s += pair(rows, m, x) * d[m];
    store(dst + x, s);
  }
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
    pre_horizontal(row, Taps(t.taps), t.in_w, t.out + long(y) * t.out_stride);
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
    pre_horizontal_backward(t.gout + long(y) * t.out_stride, Taps(t.taps), t.in_w, own ? v : nullptr, g.at(y),
                            gtaps);
    if (own) pre_vertical_taps(t, y, g.at(y), gtaps);
  }
  for (int m = 0; m < 4; ++m) t.gtaps[m] = sum(gtaps[m]);
  for (int n = t.row0; n < t.row1; ++n) {
    float* dst = t.gin + long(n) * t.in_stride;
    pre_vertical_backward(t, n, dst, g);
    for (int i = 1; i <= 3; ++i) {
      if (n == 0) pre_vertical_backward(t, -i, dst, g);
      if (n == t.in_h - 1) pre_vertical_backward(t, n + i, dst, g);
    }
  }
}

}  // namespace wyner::WYNER_ISA
