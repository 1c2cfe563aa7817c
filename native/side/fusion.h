// Fusion of a decoded picture with side pictures warped onto it (docs/spec/refine.md).
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "side/source.h"

namespace wyner::side {

constexpr int kViews = 2;
constexpr int kFeatures = 4;
constexpr int kLumaReach = 2, kChromaReach = 1;

// Coefficients of a filter: for each view a window and a mean, then the picture's own neighbours.
constexpr int fusion_taps(int reach) {
  const int window = (2 * reach + 1) * (2 * reach + 1);
  return kViews * (window + 1) + window - 1;
}

// A warped side picture of the decoded picture's size, channels and depth, and where it is valid.
struct View {
  const void* warped;
  const uint8_t* valid;
};

struct Fusion {
  // Throws Error (argument) unless thresholds ascend, there are as many filters as classes, and no sum of
  // products can overflow. Filters are in 1/4096, one after another.
  Fusion(std::array<std::vector<int>, kFeatures> levels, std::vector<int16_t> luma,
         std::vector<int16_t> chroma);

  std::array<std::vector<int>, kFeatures> levels;
  std::vector<int16_t> luma, chroma;
};

// The sum of the absolute differences of a picture's luma between neighbours, across and down (section 6).
int64_t total_detail(const Picture& x);

// Writes as many samples as `x` has to `out`. The result does not depend on `threads`.
void fuse(const Picture& x, const std::array<View, kViews>& views, const Fusion& fusion, int threads,
          void* out);

}  // namespace wyner::side
