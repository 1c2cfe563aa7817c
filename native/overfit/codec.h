// The overfit codec at payload level: what the bindings and the C API call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "overfit/network.h"
#include "overfit/plane.h"
#include "overfit/side_inputs.h"

namespace wyner::overfit {

// Pictures with a side picture have SideInputs of their size; without, the payload is that of overfit.md.

// Multiply-accumulates per pixel that a payload takes, found without decoding (section 10). A model that does
// not exist counts as the costliest one: decode_payload() refuses it.
double macs_per_pixel(const uint8_t* data, size_t size, Extras extras = {});

struct Decoded {
  Network network;
  std::vector<Plane> latents;  // finest first
};

// Sections 2 to 7. Throws Error(corrupt) or Error(unsupported).
Decoded decode_payload(const uint8_t* data, size_t size, int width, int height, const SideInputs& side = {});

// Sections 8 and 9: interleaved samples, uint8_t if maxval is 255 and uint16_t if 65535. The latents are
// used up. The result does not depend on `threads` (1 or more).
void render(const Network& net, std::vector<Plane>&& latents, const Picture& picture, int threads, void* samples,
            const SideInputs& side = {});

// The latents must have the sizes of make_grids(). Throw Error(argument) if a decoder would reject the
// result.
std::vector<uint8_t> encode_payload(const Network& net, const std::vector<Plane>& latents,
                                    const SideInputs& side = {});

// Of a set of pictures (docs/spec/shared.md): its networks, and a picture whose networks are these or begin from them.
// They throw as their counterparts for a whole payload do.
Network decode_networks(const uint8_t* data, size_t size);
Decoded decode_member(const Network& base, const uint8_t* data, size_t size, int width, int height);
std::vector<uint8_t> encode_networks(const Network& net);
// net: of the model and the grids of `base`; if it is equal to it, the picture has no networks of its own.
std::vector<uint8_t> encode_member(const Network& base, const Network& net, const std::vector<Plane>& latents);

// Ideal code lengths, in bits.
struct Bits {
  double network;             // header and parameters
  std::vector<double> grids;  // finest first
};
Bits count_bits(const Network& net, const std::vector<Plane>& latents, const SideInputs& side = {});

}  // namespace wyner::overfit
