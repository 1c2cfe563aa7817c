// Upsampling by two and the symmetric filter before it, forward and backward (docs/spec/overfit.md, section 8).
// Both are separable: along columns first, then along rows. Indices outside a plane mean its edge.
//
// Backward: planes of gradients are zero outside the picture, and stay so. With sums s_k of shifted
// gradients, a filter sum_k c_k in[x + k] has the input gradient g = sum_k c_k s_k and the tap gradients
// sum_x in[x] s_k[x]: one loop computes both.
#include "kernels/fit_kernels.h"
#include "kernels/simd.h"

namespace wyner::WYNER_ISA {
void up_forward(FilterTask& t);
void up_backward(FilterTask& t);
void pre_forward(FilterTask& t);
void pre_backward(FilterTask& t);
int filter_scratch(int rows, int width);
}  // namespace wyner::WYNER_ISA

namespace {
using namespace wyner;

inline int clampi(int v, int lo, int hi) { return v < lo ? lo : (v > hi ? hi : v); }
inline int imin(int a, int b) { return a < b ? a : b; }
inline int imax(int a, int b) { return a > b ? a : b; }
inline int round_up(int v, int to) { return (v + to - 1) / to * to; }

inline int row_floats(int width) { return round_up(width, 16) + 64; }

// By value, since the compiler must assume that a store to a row changes what a pointer to the taps reads.
struct Taps {
  float k[4];
  float operator[](int i) const { return k[i]; }
};
Taps taps_of(const FilterTask& t) { return {{t.taps[0], t.taps[1], t.taps[2], t.taps[3]}}; }

const float* in_row(const FilterTask& t, int n) { return t.in + long(clampi(n, 0, t.in_h - 1)) * t.in_stride; }

void pad_edges(float* row, int w, int pad) {
  for (int i = 1; i <= pad; ++i) {
    row[-i] = row[0];
    row[w - 1 + i] = row[w - 1];
  }
}

// Contributions to indices outside [0, w) belong to the edge.
void fold_edges(float* row, int w, int pad) {
  for (int i = 1; i <= pad; ++i) {
    row[0] += row[-i];
    row[w - 1] += row[w - 1 + i];
    row[-i] = row[w - 1 + i] = 0;
  }
}

// Rows of gradients of a strip; those outside it are zero.
struct GradientRows {
  float *zero, *rows;
  int first, last, width;
  float* at(int y) const { return y >= first && y < last ? rows + (y - first) * width : zero; }
};

// ---- upsampling ---------------------------------------------------------------------------------

// Rows 2n and 2n + 1 of the vertically doubled plane, coarse width, two edge values either side.
void up_vertical(const FilterTask& t, int n, float* even, float* odd) {
  const Taps c = taps_of(t);
  const float* r[5];
  for (int j = 0; j < 5; ++j) r[j] = in_row(t, n - 2 + j);
  for (int x = 0; x < t.in_w; x += kLanes) {
    const V a = load(r[0] + x), b = load(r[1] + x), m = load(r[2] + x), d = load(r[3] + x), e = load(r[4] + x);
    store(even + x, a * c[0] + b * c[1] + m * c[2] + d * c[3]);
    store(odd + x, b * c[3] + m * c[2] + d * c[1] + e * c[0]);
  }
  pad_edges(even, t.in_w, 2);
  pad_edges(odd, t.in_w, 2);
}

void up_horizontal(const float* row, Taps c, int n, float* out) {
  for (int x = 0; x < n; x += kLanes) {
    const V a = load(row + x - 2), b = load(row + x - 1), m = load(row + x), d = load(row + x + 1),
            e = load(row + x + 2);
    store_interleaved(out + 2 * x, a * c[0] + b * c[1] + m * c[2] + d * c[3],
                      b * c[3] + m * c[2] + d * c[1] + e * c[0]);
  }
}

// g = gradient of up_horizontal's row from that of its output, src; with v, that row, tap gradients too.
// even and odd are zero outside [0, n).
void up_horizontal_backward(const float* src, Taps c, int n, const float* v, float* even, float* odd, float* g,
                            V* gtaps) {
  for (int x = 0; x < n; x += kLanes) {
    const V a = load(src + 2 * x), b = load(src + 2 * x + kLanes);
    store(even + x, even_lanes(a, b));
    store(odd + x, odd_lanes(a, b));
  }
  V sums[4] = {gtaps[0], gtaps[1], gtaps[2], gtaps[3]};
  for (int x = -2; x < round_up(n, kLanes) + 2; x += kLanes) {
    V total{};
    for (int k = 0; k < 4; ++k) {
      const V s = load(even + x + 2 - k) + load(odd + x - 2 + k);
      total += s * c[k];
      if (v) sums[k] += s * load(v + x);
    }
    store(g + x, total);
  }
  for (int k = 0; k < 4; ++k) gtaps[k] = sums[k];
  fold_edges(g, n, 2);
}

// Tap gradients of up_vertical from the gradients of its two rows.
void up_vertical_taps(const FilterTask& t, int n, const float* even, const float* odd, V* gtaps) {
  const float* r[5];
  for (int j = 0; j < 5; ++j) r[j] = in_row(t, n - 2 + j);
  V sums[4] = {gtaps[0], gtaps[1], gtaps[2], gtaps[3]};
  for (int x = 0; x < t.in_w; x += kLanes) {
    const V e = load(even + x), o = load(odd + x);
    for (int k = 0; k < 4; ++k) sums[k] += e * load(r[k] + x) + o * load(r[4 - k] + x);
  }
  for (int k = 0; k < 4; ++k) gtaps[k] = sums[k];
}

// dst (+)= the gradient that output rows ask of (virtual) input row n.
template <bool kAdd>
void up_vertical_backward(const FilterTask& t, int n, float* dst, const GradientRows& g) {
  const Taps c = taps_of(t);
  const float *even[4], *odd[4];
  for (int k = 0; k < 4; ++k) {
    even[k] = g.at(2 * (n + 2 - k));
    odd[k] = g.at(2 * (n - 2 + k) + 1);
  }
  for (int x = 0; x < t.in_w; x += kLanes) {
    V s = kAdd ? load(dst + x) : V{};
    for (int k = 0; k < 4; ++k) s += (load(even[k] + x) + load(odd[k] + x)) * c[k];
    store(dst + x, s);
  }
}

// ---- symmetric 7-tap filter ---------------------------------------------------------------------

// x[m] + x[-m] for m = 1..3, x[0] for m = 0, where x[m] is a row.
inline V pair(const float* const* rows, int m, int x) {
  return m ? load(rows[3 - m] + x) + load(rows[3 + m] + x) : load(rows[3] + x);
}
inline V pair(const float* row, int m) { return m ? load(row - m) + load(row + m) : load(row); }

void pre_vertical(const FilterTask& t, int y, float* row) {
  const Taps d = taps_of(t);
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
  const Taps d = taps_of(t);
  const float* rows[7];
  for (int j = 0; j < 7; ++j) rows[j] = g.at(n - 3 + j);
  for (int x = 0; x < t.in_w; x += kLanes) {
    V s = load(dst + x);
    for (int m = 0; m < 4; ++m) s += pair(rows, m, x) * d[m];
    store(dst + x, s);
  }
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
  float* even = t.scratch + 16;
  float* odd = even + row_floats(t.in_w);
  for (int y = t.row0; y < t.row1; y += 2) {  // row0 is even
    up_vertical(t, y >> 1, even, odd);
    float* out = t.out + long(y) * t.out_stride;
    up_horizontal(even, taps_of(t), t.in_w, out);
    if (y + 1 < t.row1) up_horizontal(odd, taps_of(t), t.in_w, out + t.out_stride);
  }
}

void up_backward(FilterTask& t) {
  const int width = row_floats(t.in_w);
  float* zero = zero_rows(t, 5, width);
  float *v[2] = {zero + width, zero + 2 * width}, *even = zero + 3 * width, *odd = zero + 4 * width;
  const int first = imax(2 * t.row0 - 4, 0), last = imin(2 * t.row1 + 4, t.out_h);
  const GradientRows g{zero, zero + 5 * width, first, last, width};
  V gtaps[4] = {};
  for (int y = first; y < last; y += 2) {
    const bool own = y >= 2 * t.row0 && y < 2 * t.row1;
    if (own) up_vertical(t, y >> 1, v[0], v[1]);
    for (int k = 0; k < 2 && y + k < last; ++k)
      up_horizontal_backward(t.gout + long(y + k) * t.out_stride, taps_of(t), t.in_w, own ? v[k] : nullptr, even,
                             odd, g.at(y + k), gtaps);
    if (own) up_vertical_taps(t, y >> 1, g.at(y), g.at(y + 1), gtaps);
  }
  for (int k = 0; k < 4; ++k) t.gtaps[k] = sum(gtaps[k]);
  for (int n = t.row0; n < t.row1; ++n) {
    float* dst = t.gin + long(n) * t.in_stride;
    up_vertical_backward<false>(t, n, dst, g);
    for (int i = 1; i <= 2; ++i) {
      if (n == 0) up_vertical_backward<true>(t, -i, dst, g);
      if (n == t.in_h - 1) up_vertical_backward<true>(t, n + i, dst, g);
    }
  }
}

void pre_forward(FilterTask& t) {
  float* row = t.scratch + 16;
  for (int y = t.row0; y < t.row1; ++y) {
    pre_vertical(t, y, row);
    pre_horizontal(row, taps_of(t), t.in_w, t.out + long(y) * t.out_stride);
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
    pre_horizontal_backward(t.gout + long(y) * t.out_stride, taps_of(t), t.in_w, own ? v : nullptr, g.at(y),
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
