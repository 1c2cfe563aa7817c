#include "container/pixel_hash.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/sha256.h"

namespace wyner::container {

namespace {

void put_little_endian(uint32_t value, int bytes, uint8_t*& out) {
  for (int i = 0; i < bytes; ++i) *out++ = uint8_t(value >> (8 * i));
}

void add_samples(Sha256& hash, const void* samples, size_t count, int bit_depth) {
  const auto* bytes = static_cast<const uint8_t*>(samples);
  if (bit_depth == 8 || std::endian::native == std::endian::little) {
    hash.update({bytes, count * (bit_depth / 8)});
    return;
  }
  uint8_t pair[2];
  for (size_t i = 0; i < count; ++i) {
    uint16_t value;
    std::memcpy(&value, bytes + 2 * i, 2);
    uint8_t* out = pair;
    put_little_endian(value, 2, out);
    hash.update(pair);
  }
}

}  // namespace

std::array<uint8_t, kHashBytes> pixel_hash(const Header& header, const void* samples, const void* alpha) {
  uint8_t facts[11], *out = facts;
  put_little_endian(header.width, 4, out);
  put_little_endian(header.height, 4, out);
  put_little_endian(header.channels, 1, out);
  put_little_endian(header.bit_depth, 1, out);
  put_little_endian(header.has_alpha, 1, out);
  Sha256 hash;
  hash.update(facts);
  const size_t pixels = size_t(header.width) * header.height;
  add_samples(hash, samples, pixels * header.channels, header.bit_depth);
  if (header.has_alpha) add_samples(hash, alpha, pixels, header.bit_depth);
  const Sha256::Digest digest = hash.finish();
  std::array<uint8_t, kHashBytes> stored;
  std::copy_n(digest.begin(), kHashBytes, stored.begin());
  return stored;
}

}  // namespace wyner::container
