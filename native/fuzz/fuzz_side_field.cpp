// Field decoder on arbitrary bytes. What decodes is encoded again and must come back, and must warp.
// Input: width, height (two bytes each), then the coded field.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "fuzz/of_bytes.h"
#include "side/field_coder.h"
#include "side/warp.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace wyner::side;
  if (size < 4) return 0;
  const int width = (data[0] | data[1] << 8) % 300 + 1, height = (data[2] | data[3] << 8) % 300 + 1;
  Field field(8, width, height);
  try {
    field = decode_field(data + 4, size - 4, width, height);
  } catch (const wyner::Error& error) {
    require_of_bytes(error);
    return 0;
  }
  // An encoder's output must decode: an Error from here on is a finding.
  const std::vector<uint8_t> coded = encode_field(field);
  const Field again = decode_field(coded.data(), coded.size(), width, height);
  if (again.block != field.block || again.vectors != field.vectors || again.valid != field.valid)
    std::abort();

  const std::vector<uint8_t> side(19 * 23 * 3, 200);
  std::vector<uint8_t> warped(size_t(width) * height * 3), valid(size_t(width) * height);
  warp({side.data(), 23, 19, 3, 255}, field, width, height, 3, 255, 1, warped.data(), valid.data());
  for (size_t i = 0; i < warped.size(); ++i)
    if (warped[i] != (valid[i / 3] ? 200 : 0)) std::abort();  // a flat picture stays flat
  return 0;
}
