// The finest upsampling inside a strip of the synthesis: its planes live for a few rows only.
#pragma once

#include "kernels/fit_up_rows.h"

namespace {

class Doubling {
 public:
  static constexpr int kPairs = 4;  // pairs of rows kept

  static long floats(int w, int planes) { return 2 * Ring::floats(kPairs, planes, half_floats(w)) + half_floats(w); }

  Doubling(const wyner::SynthTask& task, float* scratch)
      : t(task), c(task.taps), planes(task.G - 1), cw((task.w + 1) / 2), ch((task.h + 1) / 2) {
    const int half = half_floats(t.w);
    values = {scratch, kPairs, planes, half};
    gradients = {scratch + Ring::floats(kPairs, planes, half), kPairs, planes, half};
    zero = scratch + 2 * Ring::floats(kPairs, planes, half) + wyner::kPad;
    std::memset(scratch, 0, sizeof(float) * floats(t.w, planes));
  }

  // Rows 2n and 2n + 1 of all planes but the first.
  void forward(int n, const Ring& u) const {
    for (int k = 0; k < planes; ++k) {
      const float* r[5];
      for (int j = 0; j < 5; ++j) r[j] = t.v[k] + long(clampi(n - 2 + j, 0, ch - 1)) * t.v_stride;
      float *even = values.at(n, k), *odd = even + values.half;
      double_rows(r, c, cw, even, odd);
      for (int i = 0; i < 2; ++i) {
        float* out = u.at(2 * n + i, k + 1);
        double_columns(i ? odd : even, c, cw, [out, half = u.half](int x, V a, V b) {
          store(out + x, a);
          store(out + half + x, b);
        });
      }
    }
  }

  // Takes the gradients of row y, which come in order. Every other row completes one of the coarser planes.
  void backward(int y, const Ring& gu) {
    const int n = y >> 1, odd = y & 1;
    for (int k = 0; k < planes; ++k) {
      const float* g = gu.at(y, k + 1);
      double_columns_backward(g, g + gu.half, c, cw, values.at(n, k) + odd * values.half,
                              gradients.at(n, k) + odd * gradients.half, gtaps);
    }
    if (!odd) write_row(n - 2);
    if (y == t.row1 - 1)
      for (int i = n - 1; i <= n + 2; ++i) write_row(i);
  }

  void reduce(float* g) const {
    for (int k = 0; k < 4; ++k) g[k] = sum(gtaps[k]);
  }

 private:
  // Row n of the gradients of the coarser planes; beside the strip, into its halo.
  void write_row(int n) {
    const int first = t.row0 / 2, last = (t.row1 + 1) / 2;
    if (n < 0 || n >= ch) return;
    for (int k = 0; k < planes; ++k) {
      const int slot = n < first ? n - first + 2 : 2 + n - last;
      float* dst = n >= first && n < last ? t.gv[k] + long(n) * t.v_stride : t.halo + (slot * planes + k) * t.v_stride;
      const float* in = t.v[k] + long(n) * t.v_stride;
      double_rows_backward(n, ch, c, cw, in, dst, gtaps, [&](int row, const float** even, const float** odd) {
        for (int j = 0; j < 4; ++j) {
          even[j] = gradient_row(2 * (row + 2 - j), k);
          odd[j] = gradient_row(2 * (row - 2 + j) + 1, k);
        }
      });
    }
  }

  const float* gradient_row(int y, int k) const {
    if (y < t.row0 || y >= t.row1) return zero;
    return gradients.at(y >> 1, k) + (y & 1) * gradients.half;
  }

  const wyner::SynthTask& t;
  const Taps c;
  const int planes, cw, ch;  // planes and their size before doubling
  Ring values, gradients;    // rows doubled along columns, in pairs: even rows in the first half
  float* zero;
  V gtaps[4] = {};
};

}  // namespace
