// Blocks of a side picture at quarter-pixel displacements (docs/spec/side.md, section 3).
#pragma once

#include <cstdint>

#include "kernels/side_kernels.h"
#include "side/field.h"
#include "side/source.h"

namespace wyner::side {

// A rectangle of the coded picture, at most kSideBlock wide and high.
struct Block {
  int left, top, width, height;
};

struct Range {
  int low, high;
};

// The block of `plane` at the displacement, clamped to the range; rows of `out` are kSideBlock samples apart.
void predict(const Plane& plane, const Block& block, Vector v, Range range, int16_t* out);

// Weight of the nearest neighbour at sample i of a block of size s, out of 64: from 0 in the middle to 3/8 at
// the edge (section 4).
inline int neighbour_weight(int i, int s) {
  const int from_middle = 2 * i + 1 - s;
  return 24 * (from_middle < 0 ? -from_middle : from_middle) / s;
}

}  // namespace wyner::side
