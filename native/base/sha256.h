// SHA-256 (FIPS 180-4), for the pixel hash of docs/spec/container.md.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace wyner {

class Sha256 {
 public:
  using Digest = std::array<uint8_t, 32>;

  Sha256();
  void update(std::span<const uint8_t> data);
  // The digest of all that was given to update(); the object is used up.
  Digest finish();

 private:
  void compress(const uint8_t* block);

  std::array<uint32_t, 8> state_;
  std::array<uint8_t, 64> block_;
  uint64_t length_ = 0;  // in bytes; length_ % 64 of them wait in block_
};

}  // namespace wyner
