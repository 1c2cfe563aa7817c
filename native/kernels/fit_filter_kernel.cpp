// Upsampling by two and the symmetric filter before it, forward and backward (docs/spec/overfit.md, section 8).
// Both are separable: along columns first, then along rows. Indices outside a plane mean its edge.
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
  }
}

// dst[x] (+)= a[x]*k0 + b[x]*k1 + c[x]*k2 + d[x]*k3
template <bool kAdd>
void combine4(float* dst, int n, const float* a, float k0, const float* b, float k1, const float* c, float k2,
              const float* d, float k3) {
  for (int x = 0; x < n; x += kLanes) {
    const V v = load(a + x) * k0 + load(b + x) * k1 + load(c + x) * k2 + load(d + x) * k3;
    store(dst + x, kAdd ? load(dst + x) + v : v);
  }
}

// ---- upsampling ---------------------------------------------------------------------------------

// Row y of the vertically doubled plane, coarse width, two edge values either side.
void up_vertical(const FilterTask& t, int y, float* row) {
  const float* c = t.taps;
  const int n = y >> 1;
  if (y & 1)
    combine4<false>(row, t.in_w, in_row(t, n - 1), c[3], in_row(t, n), c[2], in_row(t, n + 1), c[1],
                    in_row(t, n + 2), c[0]);
  else
    combine4<false>(row, t.in_w, in_row(t, n - 2), c[0], in_row(t, n - 1), c[1], in_row(t, n), c[2],
                    in_row(t, n + 1), c[3]);
  pad_edges(row, t.in_w, 2);
}

// Gradient of up_vertical's row y from that of the output row; adds to the horizontal part of gtaps.
void up_horizontal_backward(FilterTask& t, int y, const float* v, float* even, float* odd, float* g, bool own) {
  const float* src = t.gout + long(y) * t.out_stride;
  const int n = t.in_w;
  for (int x = 0; x < n; ++x) {
    even[x] = src[2 * x];
    odd[x] = src[2 * x + 1];
  }
  if (t.out_w & 1) odd[n - 1] = 0;
  const float* c = t.taps;
  // over x = -2 .. n+1; even and odd are zero outside [0, n)
  float* out = g - 2;
  const float *e = even - 2, *o = odd - 2;
  combine4<false>(out, n + 4, e + 2, c[0], e + 1, c[1], e, c[2], e - 1, c[3]);
  combine4<true>(out, n + 4, o + 1, c[3], o, c[2], o - 1, c[1], o - 2, c[0]);
  fold_edges(g, n, 2);
  if (!own) return;
  t.gtaps[0] += dot(even, v - 2, n) + dot(odd, v + 2, n);
  t.gtaps[1] += dot(even, v - 1, n) + dot(odd, v + 1, n);
  t.gtaps[2] += dot(even, v, n) + dot(odd, v, n);
  t.gtaps[3] += dot(even, v + 1, n) + dot(odd, v - 1, n);
}

// dst += the gradient that output rows ask of (virtual) input row n; g(y) is a zero row outside the picture.
template <class RowOf>
void up_vertical_backward(const FilterTask& t, int n, float* dst, RowOf g) {
  const float* c = t.taps;
  combine4<true>(dst, t.in_w, g(2 * n + 4), c[0], g(2 * n + 2), c[1], g(2 * n), c[2], g(2 * n - 2), c[3]);
  combine4<true>(dst, t.in_w, g(2 * n + 3), c[3], g(2 * n + 1), c[2], g(2 * n - 1), c[1], g(2 * n - 3), c[0]);
}

// ---- symmetric 7-tap filter ---------------------------------------------------------------------

void pre_vertical(const FilterTask& t, int y, float* row) {
  const float* d = t.taps;
  const float* x0 = in_row(t, y);
  const float *a1 = in_row(t, y - 1), *b1 = in_row(t, y + 1), *a2 = in_row(t, y - 2), *b2 = in_row(t, y + 2);
  const float *a3 = in_row(t, y - 3), *b3 = in_row(t, y + 3);
  for (int x = 0; x < t.in_w; x += kLanes)
    store(row + x, load(x0 + x) * d[0] + (load(a1 + x) + load(b1 + x)) * d[1] +
                       (load(a2 + x) + load(b2 + x)) * d[2] + (load(a3 + x) + load(b3 + x)) * d[3]);
  pad_edges(row, t.in_w, 3);
}

void pre_row(const float* x, const float* d, int n, float* out) {
  for (int i = 0; i < n; i += kLanes)
    store(out + i, load(x + i) * d[0] + (load(x + i - 1) + load(x + i + 1)) * d[1] +
                       (load(x + i - 2) + load(x + i + 2)) * d[2] + (load(x + i - 3) + load(x + i + 3)) * d[3]);
}

float dot_pair(const float* g, const float* a, const float* b, int n) { return dot(g, a, n) + dot(g, b, n); }

inline int row_floats(int width) { return (width + 15) / 16 * 16 + 64; }

}  // namespace

namespace wyner::WYNER_ISA {

int filter_scratch(int rows, int width) { return (2 * rows + 24) * row_floats(width); }

void up_forward(FilterTask& t) {
  float* row = t.scratch + 16;
  float* even = row + row_floats(t.in_w);
  float* odd = even + row_floats(t.in_w);
  const float* c = t.taps;
  for (int y = t.row0; y < t.row1; ++y) {
    up_vertical(t, y, row);
    combine4<false>(even, t.in_w, row - 2, c[0], row - 1, c[1], row, c[2], row + 1, c[3]);
    combine4<false>(odd, t.in_w, row - 1, c[3], row, c[2], row + 1, c[1], row + 2, c[0]);
    float* out = t.out + long(y) * t.out_stride;
    for (int x = 0; x < t.in_w; ++x) {
      out[2 * x] = even[x];
      out[2 * x + 1] = odd[x];  // one past an odd width: padding
    }
  }
}

void up_backward(FilterTask& t) {
  const int width = row_floats(t.in_w);
  const int first = imax(2 * t.row0 - 4, 0), last = imin(2 * t.row1 + 4, t.out_h);
  std::memset(t.scratch, 0, sizeof(float) * filter_scratch(t.row1 - t.row0, t.in_w));
  float* zero = t.scratch + 16;
  float* v = zero + width;
  float* even = v + width;
  float* odd = even + width;
  float* rows = odd + width;
  for (int i = 0; i < 4; ++i) t.gtaps[i] = 0;
  for (int y = first; y < last; ++y) {
    const bool own = y >= 2 * t.row0 && y < 2 * t.row1;
    if (own) up_vertical(t, y, v);
    float* g = rows + (y - first) * width;
    up_horizontal_backward(t, y, v, even, odd, g, own);
    if (!own) continue;
    const int n = y >> 1, step = (y & 1) ? -1 : 1;
    const int base = (y & 1) ? n + 2 : n - 2;  // input row of tap 0, then onwards by `step`
    for (int j = 0; j < 4; ++j) t.gtaps[j] += dot(g, in_row(t, base + step * j), t.in_w);
  }
  auto g = [&](int y) { return y >= first && y < last ? rows + (y - first) * width : zero; };
  for (int n = t.row0; n < t.row1; ++n) {
    float* dst = t.gin + long(n) * t.in_stride;
    if (!t.add_gin) std::memset(dst, 0, sizeof(float) * t.in_w);
    up_vertical_backward(t, n, dst, g);
    if (n == 0) {
      up_vertical_backward(t, -1, dst, g);
      up_vertical_backward(t, -2, dst, g);
    }
    if (n == t.in_h - 1) {
      up_vertical_backward(t, n + 1, dst, g);
      up_vertical_backward(t, n + 2, dst, g);
    }
  }
}

void pre_forward(FilterTask& t) {
  float* row = t.scratch + 16;
  for (int y = t.row0; y < t.row1; ++y) {
    pre_vertical(t, y, row);
    pre_row(row, t.taps, t.in_w, t.out + long(y) * t.out_stride);
  }
}

void pre_backward(FilterTask& t) {
  const int width = row_floats(t.in_w), n = t.in_w;
  const int first = imax(t.row0 - 3, 0), last = imin(t.row1 + 3, t.out_h);
  std::memset(t.scratch, 0, sizeof(float) * filter_scratch(t.row1 - t.row0, t.in_w));
  float* zero = t.scratch + 16;
  float* v = zero + width;
  float* padded = v + width;
  float* rows = padded + width;
  const float* d = t.taps;
  for (int i = 0; i < 4; ++i) t.gtaps[i] = 0;
  for (int y = first; y < last; ++y) {
    const float* src = t.gout + long(y) * t.out_stride;
    std::memcpy(padded, src, sizeof(float) * n);
    float* g = rows + (y - first) * width;
    pre_row(padded - 3, d, n + 6, g - 3);  // symmetric: its own transpose, but for the edges
    fold_edges(g, n, 3);
    if (y < t.row0 || y >= t.row1) continue;
    pre_vertical(t, y, v);
    t.gtaps[0] += dot(padded, v, n) + dot(g, in_row(t, y), n);
    for (int m = 1; m < 4; ++m)
      t.gtaps[m] += dot_pair(padded, v - m, v + m, n) + dot_pair(g, in_row(t, y - m), in_row(t, y + m), n);
  }
  auto g = [&](int y) { return y >= first && y < last ? rows + (y - first) * width : zero; };
  auto add = [&](int k, float* dst) {
    const float *g0 = g(k), *a1 = g(k - 1), *b1 = g(k + 1), *a2 = g(k - 2), *b2 = g(k + 2), *a3 = g(k - 3),
                *b3 = g(k + 3);
    for (int x = 0; x < n; x += kLanes)
      store(dst + x, load(dst + x) + load(g0 + x) * d[0] + (load(a1 + x) + load(b1 + x)) * d[1] +
                         (load(a2 + x) + load(b2 + x)) * d[2] + (load(a3 + x) + load(b3 + x)) * d[3]);
  };
  for (int k = t.row0; k < t.row1; ++k) {
    float* dst = t.gin + long(k) * t.in_stride;
    if (!t.add_gin) std::memset(dst, 0, sizeof(float) * n);
    add(k, dst);
    for (int i = 1; i <= 3; ++i) {
      if (k == 0) add(-i, dst);
      if (k == t.in_h - 1) add(k + i, dst);
    }
  }
}

}  // namespace wyner::WYNER_ISA
