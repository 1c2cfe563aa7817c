// The encoder's search for a field. Deterministic; nothing that a decoder depends on.
#pragma once

#include "side/block_match.h"
#include "side/field.h"
#include "side/source.h"

namespace wyner::side {

// The field that makes x cheapest to code beside `side`, the bits of the field counted. `block_size` is 8, 16
// or 32, or 0 for the best of them. Throws Error (argument) for another block size or a picture larger than
// kMaxSide.
Field estimate(const Picture& x, const Picture& side, int block_size, Coding coding);

}  // namespace wyner::side
