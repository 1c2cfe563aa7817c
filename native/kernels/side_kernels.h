// Hot loops of prediction from a side picture, and the table of functions that holds them.
// Included by kernel units: plain structures only.
#pragma once

#include <cstdint>

namespace wyner {

constexpr int kSideBlock = 32;  // the largest block, and the distance between rows of predictions
constexpr int kSideTaps = 8;
constexpr int kSideTapsBefore = 3;

struct SideKernels {
  // Filters across by `across` and down by `down`, 8 taps each out of 64; null leaves that direction alone.
  // rows[i] points at the sample under tap kSideTapsBefore of row i - kSideTapsBefore of the prediction,
  // height + 7 rows. Results are rounded and clamped to low..high.
  void (*predict)(const int16_t* const* rows, const int16_t* across, const int16_t* down, int width,
                  int height, int low, int high, int16_t* out);
  // Sum of the differences of two rows, and of their squares added to *squares.
  int (*difference)(const int16_t* a, const int16_t* b, int width, int* squares);
  // The same of a row x and a blend of predictions, out of 4096, in which one prediction changes:
  // (blend[i] + weight * weights[i] * (to[i] - from[i]) + 2048) >> 12.
  int (*blended_difference)(const int16_t* x, const int32_t* blend, const int16_t* weights, int weight,
                            const int16_t* from, const int16_t* to, int width, int* squares);
  // Adds the squares of the differences of two rows to `sums`.
  void (*add_squares)(const int16_t* a, const int16_t* b, int width, int32_t* sums);
  // What a cell's beliefs say of its neighbour's: p, `count` numbers (a multiple of kSideStripes), over their
  // sum, spread to labels nearby, and a little to all. p has two zeros before and behind; out needs none.
  void (*spread)(const float* p, int count, float* out);
};

constexpr int kSideStripes = 8;  // sums of beliefs go in so many stripes, whatever the width of vectors

const SideKernels& side_kernels();

}  // namespace wyner
