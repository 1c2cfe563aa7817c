// The lossless codec's network payload (docs/spec/lossless.md, section 7): what the bindings call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "lossless/model.h"

namespace wyner::lossless {

// Interleaved samples, 1 or 3 to a pixel, each at most maxval (255 or 65535).
struct Shape {
  int width, height, channels, maxval;
};

// Throws Error (argument) if a size, the channels or maxval are not as above.
void check(const Shape& shape);

// Told, on the calling thread, what part of the samples is coded: above 0, at most 1.
using Report = std::function<void(double)>;

// The result does not depend on `threads`.
std::vector<uint8_t> encode(const Model& model, const uint16_t* samples, const Shape& shape, int threads,
                            const Report& report = {});

// Writes width * height * channels samples. Throws Error (corrupt).
void decode(const Model& model, const uint8_t* data, size_t size, const Shape& shape, int threads, uint16_t* samples);

}  // namespace wyner::lossless
