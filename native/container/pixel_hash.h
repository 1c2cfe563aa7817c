// The pixel hash (docs/spec/container.md, section 3).
#pragma once

#include <array>
#include <cstdint>

#include "container/container.h"

namespace wyner::container {

// Of decoded samples in the machine's byte order, uint8_t or uint16_t as the header's bit depth says: `samples`
// are width * height * channels, `alpha` width * height; alpha is read only if the header has one.
std::array<uint8_t, kHashBytes> pixel_hash(const Header& header, const void* samples, const void* alpha);

}  // namespace wyner::container
