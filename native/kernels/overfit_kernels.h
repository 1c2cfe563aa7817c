// What the overfit decoder's hot loops are given, and the tables of functions that hold them.
// Included by kernel units: plain structures only.
#pragma once

#include <cstdint>

namespace wyner {

// --- the entropy model (ARM) -------------------------------------------------------------------

// A band of 16 rows is decoded as a wavefront. Its latents sit in a skewed array of lines, one per step
// t: entry kArmAbove + r of line t is row r, column t - 3r, so that the neighbours of all 16 rows at one
// offset are contiguous. Negative r are rows above the band.
constexpr int kArmLanes = 16;
constexpr int kArmAbove = 4;
constexpr int kArmLine = 32;     // int16 entries of a line
constexpr int kArmHistory = 12;  // lines before t that contexts reach

// Weights as pairs (inputs 2p, 2p + 1) in 32-bit words, biases shifted to the accumulator's point and
// with the rounding constant added.
struct ArmPlan {
  int32_t w1[24 * 14], b1[24];
  int32_t w2[24 * 12], b2[24];
  int32_t wo[2 * 12], wl[2 * 14], bo[2];
  int shift1, shift2, shift_mu, shift_scale;
};

// Distribution of the latents of step t. `line` is entry 0 of line t; `features` holds F/2 rows of 16
// pairs; mu (Q6) and scale (0..208) receive 16 values.
using ArmFunction = void(const ArmPlan& plan, const int16_t* line, const int32_t* features, int32_t* mu,
                         int32_t* scale);

struct ArmKernels {
  ArmFunction* (*find)(int S, int F, int N);  // null if there is no kernel of these sizes
};

// --- rows of 16-bit samples --------------------------------------------------------------------

// Row kernels read and write whole vectors: every row must have kRowSlack entries past its width.
constexpr int kRowSlack = 64;

// out[o][x] = sat16((bias[o] + sum_i w[o][i] * in[i][x]) >> shift), then relu if asked.
struct LinearPlan {
  int pairs, outputs;      // inputs come in pairs; pad with a zero weight
  const int32_t* weights;  // [outputs][pairs], two 16-bit weights in a word
  const int32_t* bias;     // with the rounding constant added
  int shift;
  bool relu;
};
constexpr int kMaxLinearPairs = 320;

struct RowKernels {
  void (*linear)(const LinearPlan& plan, const int16_t* const* in, int16_t* const* out, int width);
  // out[x] = sat16(in[x] << n); may work in place.
  void (*scale)(const int16_t* in, int16_t* out, int n, int width);
  // out[2x] = even[x], out[2x + 1] = odd[x], for x < half.
  void (*zip)(const int16_t* even, const int16_t* odd, int16_t* out, int half);
  // sat16(s << n), s = [1 2 1] of (|above| + 2|row| + |below|), ends repeated; one vector row of scratch.
  void (*blur)(const int16_t* above, const int16_t* row, const int16_t* below, int32_t* scratch,
               int16_t* out, int n, int width);
  // out[x] = in[x >> level]
  void (*repeat)(const int16_t* in, int16_t* out, int level, int width);
  // Samples of one row from z planes (Q10) plus residuals, saturated: spec, end of section 9.
  void (*samples)(const int16_t* const* z, const int16_t* const* residual, int channels, int maxval,
                  void* out, int width);
};

const ArmKernels& arm_kernels();
const RowKernels& row_kernels();

}  // namespace wyner
