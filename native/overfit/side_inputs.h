// What the codec sees of a side picture: contexts of the latents and planes of the synthesis (docs/spec/side.md,
// section 6). All of it is known before a payload is decoded.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "overfit/model.h"
#include "overfit/network.h"
#include "overfit/plane.h"

namespace wyner::overfit {

constexpr int kSideBits = 10;        // fractional bits of planes, and of contexts taken from a picture
constexpr int kSideLatentBits = 4;   // of contexts taken from latents

struct SideInputs {
  Extras extras;
  int context_bits = kSideBits;
  std::vector<std::vector<Plane>> contexts;  // of each of kMaxGrids grids, extras.arm planes
  std::vector<Plane> planes;                 // extras.syn of the picture's size
};

// A value of `from` fractional bits as one of `to`.
inline int16_t to_bits(int32_t v, int from, int to) {
  if (to < from) return int16_t(rshift(v, from - to));
  return int16_t(std::clamp(v * (1 << (to - from)), -32768, 32767));
}

// From a warped side picture: interleaved samples (uint8_t if maxval is 255, uint16_t if 65535) of the size and
// channels of `picture`, and which of its pixels are valid (0 or not). With or without planes of the synthesis.
SideInputs side_of_picture(const void* samples, const uint8_t* valid, const Picture& picture, bool planes);

// From the latents of the side picture's own file, finest first, for a picture of any other size.
SideInputs side_of_latents(const std::vector<Plane>& latents, int width, int height);

}  // namespace wyner::overfit
