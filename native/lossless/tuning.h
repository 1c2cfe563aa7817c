// A linear correction of the network's distributions, fitted to a picture (docs/spec/lossless.md, section 7): where
// they lie, from the samples around, and how wide they are.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "lossless/network.h"
#include "lossless/samples.h"

namespace wyner::lossless {

constexpr int kTunedLevels = 3;
constexpr int kTapBits = 10;  // taps are multiples of 2^-10
constexpr int kTapLimit = 1 << 14;
constexpr int kWidthLimit = 64;  // of changes of width, in 1/16 of a power of two
constexpr int kSlopeLimit = 32;

// Residuals of a phase that is being coded, in quarters of a step: of Y's first half, of Y, of Co; 0 where they
// are not known or not there.
using Residuals = std::array<Grid, 3>;

inline int heads_of(int colours) { return colours == 1 ? 2 : kHeads; }

// Numbers that a head's correction sees: differences of neighbours from the base in its colour and those before
// it, residuals of the phase, and the network's mean.
int tap_count(int phase, int head);
constexpr int kMostTaps = 3 * kNeighbours[2] + 18 + 1;

struct Tuning {
  std::vector<int16_t> taps;  // none: nothing changes
  int width = 0;              // added to scales
  int slope = 0;              // of that over the scale, in 1/64
  int tap_scale = 0;          // of the distribution that taps are coded with
};

// A segment's numbers, the network's mean excepted: regressors[t][i] of position i, in quarters of a step.
struct Regressors {
  alignas(64) int32_t at[kMostTaps][kSegment];
};

void make_regressors(const Level& level, int phase, int head, int y, int x, const Known& known,
                     const Residuals& residuals, Regressors& regressors);

// The network's mean less the base, in 1/256 of a step.
int32_t mean_of(const Mixtures& mixtures, int i, int32_t base);

// Moves and stretches the distribution at position i. shift: as of shift_of().
void apply(const Tuning& tuning, int32_t base, int32_t mean, int64_t shift, Mixtures& mixtures, int i);

// What the taps make of position i, in 1/256 of a step.
int64_t shift_of(const Tuning& tuning, const Regressors& regressors, int32_t mean, int i);

// For each tuned level, phase and head.
using Tunings = std::array<std::array<std::array<Tuning, kHeads>, kPhases>, kTunedLevels>;

}  // namespace wyner::lossless
