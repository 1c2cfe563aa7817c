// Overfit decoder on arbitrary bytes. What decodes must render alike on any number of threads, and must
// survive being encoded and decoded again.
// Input: width, height (a byte each), flags (bit 0: RGB, bit 1: 16 bits, bits 2 and 3: threads), payload.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "base/error.h"
#include "overfit/codec.h"
#include "wyner/decode.h"

using namespace wyner::overfit;

static bool same(const std::vector<Plane>& a, const std::vector<Plane>& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i)
    if (a[i].data != b[i].data) return false;
  return true;
}

static void check_again(const uint8_t* payload, size_t size, const Picture& p,
                        const std::vector<uint8_t>& expected) {
  Decoded decoded = decode_payload(payload, size, p.width, p.height);
  const std::vector<uint8_t> coded = encode_payload(decoded.network, decoded.latents);
  const Decoded again = decode_payload(coded.data(), coded.size(), p.width, p.height);
  if (again.network.params != decoded.network.params || !same(again.latents, decoded.latents)) std::abort();
  std::vector<uint8_t> samples(expected.size());
  render(decoded.network, std::move(decoded.latents), p, 1, samples.data());
  if (samples != expected) std::abort();
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 3) return 0;
  const int flags = data[2];
  const wyner_picture picture = {data[0] % 96 + 1, data[1] % 96 + 1, flags & 1 ? 3 : 1,
                                 flags & 2 ? 65535 : 255};
  std::vector<uint8_t> samples(wyner_overfit_output_size(&picture));
  const wyner_status status = wyner_overfit_decode(data + 3, size - 3, &picture, (flags >> 2 & 3) + 1,
                                                   samples.data(), samples.size());
  if (status == WYNER_CORRUPT || status == WYNER_UNSUPPORTED) return 0;
  if (status != WYNER_OK) std::abort();
  const Picture p = {picture.width, picture.height, picture.channels, picture.maxval};
  check_again(data + 3, size - 3, p, samples);
  return 0;
}
