// Coding of pictures that people or programs drew: screen shots, charts, text, palettes (docs/spec/lossless.md,
// section 8). Pixels repeat; where they do not, differences to a prediction are coded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "lossless/codec.h"

namespace wyner::lossless {

std::vector<uint8_t> screen_encode(const uint16_t* samples, const Shape& shape);

// Writes width * height * channels samples. Throws Error (corrupt), after time proportional to their number at
// most.
void screen_decode(const uint8_t* data, size_t size, const Shape& shape, uint16_t* samples);

}  // namespace wyner::lossless
