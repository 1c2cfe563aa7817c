// How well blocks of a picture are predicted by displaced blocks of its side picture.
#pragma once

#include <cstdint>

#include "side/field.h"
#include "side/source.h"

namespace wyner::side {

// A block's place in the picture; the size is at most 32.
struct Block {
  int left, top, width, height;
};

// Mean square of the luma differences at a quarter-pixel displacement, in units of 8-bit samples. Their mean counts
// for little, since whoever uses the prediction can correct it.
float mean_square_error(const Plane& x, const Plane& y, const Block& block, Vector v);

// That of the block's own samples around their mean.
float own_variance(const Plane& x, const Block& block);

}  // namespace wyner::side
