// Numbers in front of streams: seven bits a byte, least significant first (docs/spec/coder.md, section 4).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/error.h"

namespace wyner {

inline void put_varint(std::vector<uint8_t>& out, uint64_t value) {
  for (; value >= 128; value >>= 7) out.push_back(uint8_t(value | 128));
  out.push_back(uint8_t(value));
}

// Reads what stands in front of streams. Throws Error (corrupt).
class HeaderReader {
 public:
  HeaderReader(const uint8_t* data, size_t size) : next_(data), end_(data + size) {}

  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 63; shift += 7) {
      const uint8_t b = byte();
      value |= uint64_t{b & 127u} << shift;
      if (b < 128) return value;
    }
    corrupt("coder: a number in the header is too long");
  }

  uint8_t byte() {
    if (next_ == end_) corrupt("coder: the header ends too early");
    return *next_++;
  }

  const uint8_t* next() const { return next_; }
  size_t left() const { return size_t(end_ - next_); }

 private:
  const uint8_t* next_;
  const uint8_t* end_;
};

}  // namespace wyner
