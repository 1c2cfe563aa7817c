// The planes that a decoded picture is refined in (docs/spec/refine.md, section 1).
#pragma once

#include <vector>

#include "side/int_plane.h"
#include "side/source.h"

namespace wyner::side {

// Y in 0..4096, or Y, Co and Cg.
std::vector<IntPlane> colour_planes(const Picture& picture, int threads);

}  // namespace wyner::side
