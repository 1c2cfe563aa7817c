// Plane decoder on arbitrary bytes. What decodes is encoded again and must come back.
// Input: width, height (a byte each), depth (1 bit), then the coded plane.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "fuzz/of_bytes.h"
#include "plane/plane.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 3) return 0;
  const size_t width = data[0] % 64 + 1, height = data[1] % 64 + 1;
  const uint32_t maxval = data[2] & 1 ? 65535 : 255;
  std::vector<uint16_t> samples(width * height), again(width * height);
  try {
    wyner::plane_decode(data + 3, size - 3, width, height, maxval, samples.data());
  } catch (const wyner::Error& error) {
    require_of_bytes(error);
    return 0;
  }
  // An encoder's output must decode: an Error from here on is a finding.
  const std::vector<uint8_t> coded = wyner::plane_encode(samples.data(), width, height, maxval);
  wyner::plane_decode(coded.data(), coded.size(), width, height, maxval, again.data());
  if (again != samples) std::abort();
  return 0;
}
