// Luma planes for the estimator: 10 bits whatever the picture's depth, so that squared differences of a block
// fit 32.
#pragma once

#include "side/source.h"

namespace wyner::side {

constexpr int kMaxLuma = 1023;

// 0..kMaxLuma.
Plane luma_plane(const Picture& picture);

// Means of 2x2 samples, the last row and column repeated; at least 1x1.
Plane halved(const Plane& plane);

// Gives `plane` the mean and standard deviation of `target`, as two cameras or dates may differ in exposure.
// Leaves it alone where they are nearly equal, so that unchanged samples stay unchanged, and where contrasts
// are too different to be those of one scene.
void match_exposure(Plane& plane, const Plane& target);

}  // namespace wyner::side
