// What a file changes of the network's weights (docs/spec/lossless.md, section 10).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "lossless/model.h"

namespace wyner::lossless {

constexpr int kGainBits = 5;  // gains are in 2^-5
constexpr int kGainLimit = 127;
constexpr int kBiasBits = 11;  // numbers of biases are in 2^-7, biases in 2^-18
constexpr int kBiasLimit = 1 << 12;

// Integers of a network, in the order of the specification.
struct Integers {
  Sizes sizes;
  std::vector<int16_t> weights;
  std::vector<int32_t> biases;
};

// How many numbers an update has: of each layer a gain for each output and each input, and one for each bias.
// Throws Error (argument) if a size is out of range.
size_t update_size(const Sizes& sizes);

// Throws Error (argument) if there are too few or too many numbers, or one is out of range.
std::vector<uint8_t> write_update(const Sizes& sizes, std::vector<int16_t> numbers);

// The network that the update makes. Throws Error (corrupt), also if no network may have such integers.
Model updated(Integers network, const uint8_t* data, size_t size);

}  // namespace wyner::lossless
