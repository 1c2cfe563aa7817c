// The network that fuses a decoded picture with what a side picture is expected to show (docs/spec/refine.md,
// section 6): 3x3 layers on planes of half the size, in 16-bit integers.
#pragma once

#include <cstdint>
#include <vector>

namespace wyner::side {

// out = weights * in + biases, >> shift, cut to 16 bits and, but for the last layer, to at least 0. weights:
// (outputs, inputs, 3, 3); biases are scaled like the sums.
struct Layer {
  int inputs, outputs, shift;
  std::vector<int16_t> weights;
  std::vector<int32_t> biases;
};

constexpr int kMaxLayerInputs = 70, kMaxLayerOutputs = 64;

// Throws Error (argument) unless layers fit one another, the first takes 4 * planes + 1 inputs, the last gives a
// multiple of 4, and no sum can leave 32 bits whatever its inputs.
void check_layers(const std::vector<Layer>& layers, int planes);

// planes: (count, height, width). Each is cut into four of half the size (odd sizes: the last row and column
// twice), in the order of rows; `level` fills the last input. Returns (outputs / 4, height, width).
std::vector<int16_t> restore(const int16_t* planes, int count, int width, int height, int level,
                             const std::vector<Layer>& layers, int threads);

}  // namespace wyner::side
