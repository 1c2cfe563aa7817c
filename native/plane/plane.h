// Lossless coding of one plane of 8- or 16-bit samples, such as an alpha mask (docs/spec/plane.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace wyner {

// `samples` is width x height, row-major, each at most `maxval` (255 or 65535).
// Throws Error (argument) if a size is 0 or a sample is larger than maxval.
std::vector<uint8_t> plane_encode(const uint16_t* samples, size_t width, size_t height, uint32_t maxval);

// Writes width x height samples, each at most maxval. Throws Error (corrupt) on bad data, after time
// proportional to width x height at most.
void plane_decode(const uint8_t* data, size_t size, size_t width, size_t height, uint32_t maxval,
                  uint16_t* samples);

}  // namespace wyner
