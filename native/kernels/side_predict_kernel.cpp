// Interpolation and comparison of blocks (docs/spec/side.md, section 3).
#include "kernels/side_kernels.h"

namespace wyner::WYNER_ISA {

namespace {

inline int clamp(int v, int low, int high) { return v < low ? low : v > high ? high : v; }

inline int filtered(const int16_t* r, const int16_t* taps) {
  int sum = 0;
  for (int k = 0; k < kSideTaps; ++k) sum += taps[k] * r[k - kSideTapsBefore];
  return sum;
}

void predict(const int16_t* const* rows, const int16_t* across, const int16_t* down, int width, int height,
             int low, int high, int16_t* out) {
  rows += down ? 0 : kSideTapsBefore;
  int32_t filtered_rows[kSideBlock + kSideTaps - 1][kSideBlock];
  const int needed = height + (down ? kSideTaps - 1 : 0);
  for (int i = 0; i < needed; ++i) {
    const int16_t* r = rows[i];
    if (across)
      for (int x = 0; x < width; ++x) filtered_rows[i][x] = filtered(r + x, across);
    else
      for (int x = 0; x < width; ++x) filtered_rows[i][x] = 64 * r[x];
  }
  for (int i = 0; i < height; ++i, out += kSideBlock) {
    if (!down) {
      for (int x = 0; x < width; ++x) out[x] = int16_t(clamp((filtered_rows[i][x] + 32) >> 6, low, high));
      continue;
    }
    for (int x = 0; x < width; ++x) {
      int sum = 2048;
      for (int k = 0; k < kSideTaps; ++k) sum += down[k] * filtered_rows[i + k][x];
      out[x] = int16_t(clamp(sum >> 12, low, high));
    }
  }
}

int difference(const int16_t* a, const int16_t* b, int width, int* squares) {
  int sum = 0, sum_of_squares = 0;
  for (int x = 0; x < width; ++x) {
    const int16_t d = int16_t(a[x] - b[x]);
    sum += d;
    sum_of_squares += d * d;
  }
  *squares += sum_of_squares;
  return sum;
}

int blended_difference(const int16_t* x, const int32_t* blend, const int16_t* weights, int weight,
                       const int16_t* from, const int16_t* to, int width, int* squares) {
  int sum = 0, sum_of_squares = 0;
  for (int i = 0; i < width; ++i) {
    const int blended = (blend[i] + weight * weights[i] * (to[i] - from[i]) + 2048) >> 12;
    const int d = x[i] - blended;
    sum += d;
    sum_of_squares += d * d;
  }
  *squares += sum_of_squares;
  return sum;
}

void add_squares(const int16_t* a, const int16_t* b, int width, int32_t* sums) {
  for (int x = 0; x < width; ++x) {
    const int d = a[x] - b[x];
    sums[x] += d * d;
  }
}

void spread(const float* p, int count, float* out) {
  float stripes[kSideStripes] = {};
  for (int i = 0; i < count; i += kSideStripes)
    for (int k = 0; k < kSideStripes; ++k) stripes[k] += p[i + k];
  float sum = 0;
  for (const float s : stripes) sum += s;
  const float unit = 1 / sum, everywhere = 0.02f / float(count);
  for (int i = 0; i < count; ++i)
    out[i] = (0.6f * p[i] + 0.15f * (p[i - 1] + p[i + 1]) + 0.03f * (p[i - 2] + p[i + 2])) * unit + everywhere;
}

}  // namespace

const SideKernels& side_kernels() {
  static const SideKernels table = {predict, difference, blended_difference, add_squares, spread};
  return table;
}

}  // namespace wyner::WYNER_ISA
