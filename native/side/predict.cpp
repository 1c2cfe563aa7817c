#include "side/predict.h"

#include <algorithm>

namespace wyner::side {
namespace {

// Taps at -3..4 for 1/4, 2/4 and 3/4 of a pixel, out of 64: a sinc under a window of half-width 4, rounded.
constexpr int16_t kFilter[3][kSideTaps] = {
    {-1, 4, -10, 57, 18, -6, 2, 0},
    {-1, 4, -11, 40, 40, -11, 4, -1},
    {0, 2, -6, 18, 57, -10, 4, -1},
};

}  // namespace

void predict(const Plane& plane, const Block& block, Vector v, Range range, int16_t* out) {
  // Farther out all samples are those of the edge.
  const int left = std::clamp(block.left + (v.x >> 2), 4 - Plane::kPad, plane.width + 3);
  const int top = block.top + (v.y >> 2) - kSideTapsBefore;
  const int16_t* rows[kSideBlock + kSideTaps - 1];
  for (int i = 0; i < block.height + kSideTaps - 1; ++i) rows[i] = plane.clamped_row(top + i) + left;
  const int16_t* across = v.x & 3 ? kFilter[(v.x & 3) - 1] : nullptr;
  const int16_t* down = v.y & 3 ? kFilter[(v.y & 3) - 1] : nullptr;
  side_kernels().predict(rows, across, down, block.width, block.height, range.low, range.high, out);
}

}  // namespace wyner::side
