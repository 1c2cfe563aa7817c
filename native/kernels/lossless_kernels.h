// Hot loops of the lossless codec's network, and the table of functions that holds them.
// Included by kernel units: plain structures only.
//
// Activations are int16 in pairs of channels: at [x][2] of a row lie channels 2p and 2p+1 of position x.
// Work is cut into segments of kSegment positions of a row.
#pragma once

#include <cstdint>

namespace wyner {

constexpr int kSegment = 32;
constexpr int kOutputs = 8;  // outputs of a convolution are made so many at a time

// docs/spec/lossless.md, section 3.
constexpr int kWeightBits = 10;
constexpr int kValueBits = 8;
constexpr int kRawBits = 7;
constexpr int kValueLimit = 4095;
constexpr int kNormFloor = 16;

// A convolution, of which a segment is made: sums of products, exact, below 2^31 by the model's construction.
struct ConvPlan {
  const int16_t* weights;  // [outputs / kOutputs][pairs][taps][kOutputs][2]
  int pairs;
  int taps;   // 1, or 9: row by row, centre at 4
  int groups;  // of kOutputs outputs
};

struct LosslessKernels {
  // sums[o][kSegment] += weights * inputs. inputs[p] points at the segment's first position of pair p;
  // row_stride, in int16, leads to the next row (taps 9).
  void (*conv)(const ConvPlan& plan, const int16_t* const* inputs, int64_t row_stride, int32_t* sums);
  // RMS norm over `channels` (even), ReLU, and, where `added` is not null, the sum with it, limited. Writes
  // out[p] for the pairs.
  void (*norm_relu)(const int32_t* sums, int channels, const int16_t* const* added, int16_t* const* out);
  // Sums over 2^10, limited to low..kValueLimit.
  void (*limit)(const int32_t* sums, int channels, int low, int16_t* const* out);
  // One head of attention over `count` (a multiple of 16) keys for each of `queries`: q, k (count, depth),
  // transposed v (depth, count); depth a multiple of 16; usable[i] is 0 where key i is not to be seen, else
  // -1. out (queries, depth).
  void (*attend)(const int16_t* q, const int16_t* k, const int16_t* v, const int16_t* usable, int queries, int count,
                 int depth, int16_t* out);
};

const LosslessKernels& lossless_kernels();

}  // namespace wyner
