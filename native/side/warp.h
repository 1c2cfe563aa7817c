// The side picture warped onto the coded picture's pixels (docs/spec/side.md, section 4).
#pragma once

#include <cstdint>

#include "side/field.h"
#include "side/source.h"

namespace wyner::side {

// Writes height * width * channels samples to `warped`, uint8_t if maxval is 255 and uint16_t if 65535, and
// height * width bytes to `valid`: 1 where there is a prediction, else 0 and the samples are 0. The result
// does not depend on `threads`. Throws Error (argument) if the field is not that of a picture of this size.
// channels is 1 or 3, maxval 255 or 65535.
void warp(const Picture& side, const Field& field, int width, int height, int channels, int maxval,
          int threads, void* warped, uint8_t* valid);

}  // namespace wyner::side
