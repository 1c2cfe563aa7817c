// Overfit decoder with inputs from a side picture on arbitrary bytes. What decodes must render alike on any number of
// threads, and must survive being encoded and decoded again.
// Input: width, height (a byte each), flags (bit 0: RGB, bit 1: 16 bits, bits 2 and 3: threads, bit 4: planes, bit 5:
// latents of the side picture instead), a seed of the side picture, payload.
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <vector>

#include "fuzz/of_bytes.h"
#include "overfit/codec.h"

using namespace wyner::overfit;

namespace {

struct Noise {
  uint32_t state;
  uint32_t next() { return state = state * 1664525u + 1013904223u; }
  uint32_t below(uint32_t n) { return (next() >> 8) % n; }
};

SideInputs make_side(const Picture& p, int flags, uint32_t seed) {
  Noise noise{seed};
  if (flags & 32) {
    std::vector<Plane> latents = make_grids(1 + int(noise.below(96)), 1 + int(noise.below(96)), 1 + int(noise.below(9)));
    for (Plane& q : latents)
      for (size_t i = 0; i < q.size(); ++i) q.data[i] = int16_t(int(noise.below(8191)) - 4095);
    return side_of_latents(latents, p.width, p.height);
  }
  const size_t pixels = size_t(p.width) * p.height;
  std::vector<uint16_t> samples(pixels * p.channels);  // read as bytes if the depth is 8
  for (uint16_t& v : samples) v = uint16_t(noise.next() >> 16);
  std::vector<uint8_t> valid(pixels);
  for (uint8_t& v : valid) v = noise.below(4) != 0;
  return side_of_picture(samples.data(), valid.data(), p, flags & 16);
}

bool same(const std::vector<Plane>& a, const std::vector<Plane>& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i)
    if (a[i].data != b[i].data) return false;
  return true;
}

std::vector<uint8_t> rendered(const Decoded& decoded, const Picture& p, int threads, const SideInputs& side) {
  std::vector<uint8_t> samples(size_t(p.width) * p.height * p.channels * (p.maxval > 255 ? 2 : 1));
  std::vector<Plane> latents = decoded.latents;
  render(decoded.network, std::move(latents), p, threads, samples.data(), side);
  return samples;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 4) return 0;
  const int flags = data[2];
  const Picture p = {data[0] % 96 + 1, data[1] % 96 + 1, flags & 1 ? 3 : 1, flags & 2 ? 65535 : 255};
  const SideInputs side = make_side(p, flags, data[3]);
  std::optional<Decoded> decoded;
  try {
    decoded.emplace(decode_payload(data + 4, size - 4, p.width, p.height, side));
  } catch (const wyner::Error& error) {
    require_of_bytes(error);
    return 0;
  }
  // An encoder's output must decode: an Error from here on is a finding.
  if (rendered(*decoded, p, 1, side) != rendered(*decoded, p, (flags >> 2 & 3) + 1, side)) std::abort();
  const std::vector<uint8_t> coded = encode_payload(decoded->network, decoded->latents, side);
  const Decoded again = decode_payload(coded.data(), coded.size(), p.width, p.height, side);
  if (again.network.params != decoded->network.params || !same(again.latents, decoded->latents)) std::abort();
  return 0;
}
