// Adaptive bits (docs/spec/plane.md, section 2) and the two coders of them, with one interface, so that a
// template serves both directions: `coder.bit(model, b)` returns the bit coded, and a decoding coder ignores
// the b it is passed.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/error.h"
#include "coder/range_coder.h"

namespace wyner {

// Probability that a bit is 1: the mean of a fast and a slow estimate.
class BitModel {
 public:
  // 1..65535: neither estimate reaches 0 or 65536.
  uint32_t p1() const { return (uint32_t{fast_} + slow_) >> 1; }

  void update(int bit) {
    if (age_ < 127) ++age_;
    const int rate = std::bit_width(age_);  // 1..7, so that a young estimate is about the mean of its bits
    fast_ = moved(fast_, bit, std::min(rate, 4));
    slow_ = moved(slow_, bit, rate);
  }

 private:
  static uint16_t moved(uint32_t p, int bit, int rate) {
    return uint16_t(bit ? p + ((65536 - p) >> rate) : p - (p >> rate));
  }

  uint16_t fast_ = 32768;
  uint16_t slow_ = 32768;
  uint8_t age_ = 0;
};

class BitEncoder {
 public:
  static constexpr bool kDecodes = false;

  int bit(BitModel& model, int value) {
    const uint32_t p1 = model.p1();
    if (value) range_.interval(0, p1);
    else range_.interval(p1, 65536);
    model.update(value);
    return value;
  }

  uint32_t bits(int n, uint32_t value) {
    range_.bits(n, value);
    return value;
  }

  std::vector<uint8_t> finish() { return range_.finish(); }

 private:
  RangeEncoder range_;
};

class BitDecoder {
 public:
  static constexpr bool kDecodes = true;

  BitDecoder(const uint8_t* data, size_t size) : range_(data, size) {}

  int bit(BitModel& model, int = 0) {
    const uint32_t p1 = model.p1();
    const uint64_t unit = range_.unit();
    const int value = range_.code() < unit * p1;
    if (value) {
      range_.consume(unit, 0, p1);
    } else {
      if (range_.code() >= unit << kProbBits) corrupt("adaptive bit: code outside the range");
      range_.consume(unit, p1, 65536);
    }
    model.update(value);
    return value;
  }

  uint32_t bits(int n, uint32_t = 0) { return range_.bits(n); }

 private:
  RangeDecoder range_;
};

}  // namespace wyner
