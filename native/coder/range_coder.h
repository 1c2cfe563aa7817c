// Range coder with 64-bit state and 32-bit renormalisation (docs/spec/overfit.md, section 2).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "base/error.h"

namespace wyner {

constexpr int kProbBits = 16;
constexpr int kPastEnd = 16;  // zero bytes a decoder may read past the end of the data

class RangeEncoder {
 public:
  // Interval [lo, hi) out of 2^kBits, kBits <= 24.
  template <int kBits = kProbBits>
  void interval(uint32_t lo, uint32_t hi) {
    const uint64_t r = range_ >> kBits;
    add(r * lo);
    range_ = r * (hi - lo);
    normalise();
  }

  // n equiprobable bits, 1 <= n <= 16.
  void bits(int n, uint32_t value) {
    const uint64_t r = range_ >> n;
    add(r * value);
    range_ = r;
    normalise();
  }

  // The shortest byte string that decodes alike (the decoder reads zeros past its end).
  std::vector<uint8_t> finish() {
    // Any value in [low, low + range) will do: take the one with most trailing zero bits.
    for (int zeros = 63; zeros >= 0; --zeros) {
      const uint64_t mask = (uint64_t{1} << zeros) - 1;
      const uint64_t up = (low_ + mask) & ~mask;
      const bool wraps = up < low_;  // rounding up carried out of 64 bits: the value is 2^64 + up
      if (up - low_ < range_) {
        if (wraps) carry();
        low_ = up;
        break;
      }
    }
    for (int shift = 56; shift >= 0; shift -= 8) bytes_.push_back(uint8_t(low_ >> shift));
    // The decoder reads just these bytes, and refuses to read more than 16 past the end.
    const size_t least = bytes_.size() > kPastEnd ? bytes_.size() - kPastEnd : 0;
    while (bytes_.size() > least && bytes_.back() == 0) bytes_.pop_back();
    return std::move(bytes_);
  }

 private:
  void add(uint64_t amount) {
    low_ += amount;
    if (low_ < amount) carry();
  }

  void carry() {
    for (size_t i = bytes_.size(); i-- > 0;)
      if (++bytes_[i] != 0) break;
  }

  void normalise() {
    while (range_ < (uint64_t{1} << 32)) {
      const uint8_t word[] = {uint8_t(low_ >> 56), uint8_t(low_ >> 48), uint8_t(low_ >> 40), uint8_t(low_ >> 32)};
      bytes_.insert(bytes_.end(), word, word + sizeof word);
      low_ <<= 32;
      range_ <<= 32;
    }
  }

  uint64_t low_ = 0;
  uint64_t range_ = ~uint64_t{0};
  std::vector<uint8_t> bytes_;
};

// Where in 0..2^kBits the next symbol lies, in a form that is compared with edges without a division.
struct RangePoint {
  uint64_t code, unit;
  bool below(uint32_t edge) const { return code < unit * edge; }
};

class RangeDecoder {
 public:
  RangeDecoder(const uint8_t* data, size_t size) : next_(data), end_(data + size) {
    code_ = uint64_t{word()} << 32;
    code_ |= word();
  }

  // The unit r of probability: an interval [lo, hi) holds the code if r*lo <= code < r*hi.
  uint64_t unit() const { return range_ >> kProbBits; }
  uint64_t code() const { return code_; }

  // The same as a pair, for probabilities out of 2^kBits, kBits <= 24. Below 2^kBits, or the data is corrupt.
  template <int kBits>
  RangePoint point() const {
    const RangePoint result{code_, range_ >> kBits};
    if (!result.below(uint32_t{1} << kBits)) corrupt("range decoder: code outside the range");
    return result;
  }

  void consume(uint64_t unit, uint32_t lo, uint32_t hi) {
    code_ -= unit * lo;
    range_ = unit * (hi - lo);
    normalise();
  }

  uint32_t bits(int n) {
    const uint64_t r = range_ >> n;
    const uint64_t value = code_ / r;
    if (value >> n) corrupt("range decoder: code outside the range");
    code_ -= r * value;
    range_ = r;
    normalise();
    return uint32_t(value);
  }

 private:
  void normalise() {
    while (range_ < (uint64_t{1} << 32)) {
      range_ <<= 32;
      code_ = (code_ << 32) | word();
    }
  }

  uint32_t word() {
    uint32_t value = 0;
    if (end_ - next_ >= 4) {
      std::memcpy(&value, next_, 4);
      next_ += 4;
      return __builtin_bswap32(value);
    }
    for (int i = 0; i < 4; ++i) {
      value <<= 8;
      if (next_ < end_) value |= *next_++;
      else if (++past_end_ > kPastEnd) corrupt("the coded data ends too early");
    }
    return value;
  }

  const uint8_t* next_;
  const uint8_t* end_;
  int past_end_ = 0;
  uint64_t code_ = 0;
  uint64_t range_ = ~uint64_t{0};
};

}  // namespace wyner
