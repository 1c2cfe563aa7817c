// How well blocks of a picture are predicted by displaced blocks of its side picture.
#pragma once

#include "side/predict.h"

namespace wyner::side {

// Mean square of the luma differences at a displacement, in units of 8-bit samples. Their mean counts for
// little, since whoever uses the prediction can correct it. Planes are those of luma.h.
float mean_square_error(const Plane& x, const Plane& y, const Block& block, Vector v);

// The same from the sum of the luma differences and that of their squares.
float mean_square(int64_t sum, int64_t squares, int count);

// That of the block's own samples around their mean.
float own_variance(const Plane& x, const Block& block);

// What the estimator knows of the codec that will use the prediction.
struct Coding {
  float noise;  // the mean square error that it will leave, in 8-bit steps, > 0
  float use;    // the share that it will save of the bits that coefficients of known variance need, 0..1
};

// Bits for a block whose prediction leaves this mean square.
float bits_for(float mean_square, const Block& block, Coding coding);
float bits_without_prediction(const Plane& x, const Block& block, Coding coding);

}  // namespace wyner::side
