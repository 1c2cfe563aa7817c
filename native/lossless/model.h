// The weights of the lossless codec's network (docs/spec/lossless.md, section 4).
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/aligned.h"
#include "kernels/lossless_kernels.h"

namespace wyner::lossless {

constexpr int kLevels = 3;   // that have biases of their own; deeper ones use the last
constexpr int kMixture = 3;  // logistic distributions to a sample
constexpr int kPhases = 3;
constexpr int kHeads = 4;  // Y of the first half of a checkerboard, Y of the second, Co, Cg
constexpr int kWindow = 16;
constexpr int kAttentionHeads = 4;
constexpr std::array<int, kPhases> kNeighbours = {16, 24, 40};

// Channels; all even, at most kMaxWidth. blocks: of each phase's trunk.
struct Sizes {
  int full, half, quarter, hidden;
  std::array<int, kPhases> blocks;
};

constexpr int kMaxWidth = 128;
constexpr int kMaxBlocks = 8;

constexpr int features_of(int phase) { return 3 * kNeighbours[phase] + 6; }

// A layer as kernels take it. biases are in 1/2^(kWeightBits + kValueBits), one row for each level or one for all.
struct Layer {
  int inputs = 0, outputs = 0, taps = 1;
  AlignedVector<int16_t> weights;
  std::vector<std::vector<int32_t>> biases;

  ConvPlan plan() const { return {weights.data(), inputs / 2, taps, int(padded_outputs()) / kOutputs}; }
  int padded_outputs() const { return (outputs + kOutputs - 1) / kOutputs * kOutputs; }
  const std::vector<int32_t>& bias(int level) const { return biases[biases.size() == 1 ? 0 : size_t(level)]; }
};

struct DoubleConv {
  Layer first, second;
};

struct Head {
  Layer trunk, known, hidden, out;  // known has no weights in the first head
};

struct Trunk {
  Layer stem;  // of features, then context
  std::vector<DoubleConv> blocks;
  std::array<Head, kHeads> heads;
};

struct Model {
  Sizes sizes;
  Layer stem;
  DoubleConv down_full, down_half, down_quarter;
  Layer to_qkv, attention_out;
  Layer spread_half;  // outputs [2][2][half]
  DoubleConv up_half;
  Layer spread_full;
  DoubleConv up_full;
  std::array<Trunk, kPhases> trunks;
};

// What the weights of a layer are, and how many rows its biases have. most: of the magnitudes of an output's weights.
struct LayerShape {
  int inputs, outputs, taps, bias_rows;
  int64_t most;
};

// All layers in the order of section 4. Throws Error (argument) if a size is out of range.
std::vector<LayerShape> shapes_of(const Sizes& sizes);

// How many weights and biases a model of these sizes has. Throws Error (argument) if a size is out of range.
struct Counts {
  size_t weights, biases;
};
Counts counts_of(const Sizes& sizes);

// Layers in the order of section 4, each (outputs, inputs, taps); biases likewise. Throws Error (argument) if
// there are too few or too many, or if a sum could reach 2^31.
Model make_model(const Sizes& sizes, const std::vector<int16_t>& weights, const std::vector<int32_t>& biases);

// Multiply-accumulates for a picture's pixel.
double macs_per_pixel(const Sizes& sizes);

}  // namespace wyner::lossless
