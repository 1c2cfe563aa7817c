// Coding of a field into bytes (docs/spec/side.md, section 1).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "side/field.h"

namespace wyner::side {

// Throws Error (argument) if a component of a valid block is beyond kMaxVector.
std::vector<uint8_t> encode_field(const Field& field);

// The field of a picture of width x height. Throws Error: corrupt on bad data, after time proportional to the
// number of blocks at most; argument if the size is out of range.
Field decode_field(const uint8_t* data, size_t size, int width, int height);

}  // namespace wyner::side
