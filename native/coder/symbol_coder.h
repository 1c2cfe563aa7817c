// Three coders with one interface, so that decoding, encoding and counting share the code that walks a
// stream: symbol() and bits() are given the value to code and return the value coded. A decoder ignores
// the former.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "base/error.h"
#include "coder/laplace.h"
#include "coder/range_coder.h"

namespace wyner {

class SymbolDecoder {
 public:
  static constexpr bool kDecodes = true;
  SymbolDecoder(const uint8_t* data, size_t size) : range_(data, size) {}

  [[noreturn]] static void fail(const std::string& message) { corrupt(message); }

  uint32_t bits(int n, uint32_t = 0) { return range_.bits(n); }

  int32_t symbol(int32_t mu, int32_t scale, int32_t = 0) {
    const LaplaceCdf cdf(mu, scale);
    const uint64_t unit = range_.unit(), code = range_.code();
    const uint32_t low = cdf.centre_low(), high = cdf.centre_high();
    if (code >= unit * low && code < unit * high) [[likely]] {
      range_.consume(unit, low, high);
      return cdf.k0();
    }
    return off_centre(cdf, scale);
  }

 private:
  __attribute__((noinline)) int32_t off_centre(const LaplaceCdf& cdf, int32_t scale) {
    const uint64_t unit = range_.unit();
    const int entry = find_entry(cdf, unit, range_.code());
    range_.consume(unit, cdf.edge(entry), cdf.edge(entry + 1));
    const int32_t value = code_escape(*this, cdf, scale, entry, 0);
    if (value < -kMaxSymbol || value > kMaxSymbol) fail("a symbol is out of range");
    return value;
  }

  RangeDecoder range_;
};

// Callers give values whose excess the escape code can express: |value| <= kMaxSymbol.
class SymbolEncoder {
 public:
  static constexpr bool kDecodes = false;

  [[noreturn]] static void fail(const std::string& message) { throw Error(ErrorKind::argument, message); }

  uint32_t bits(int n, uint32_t value) {
    range_.bits(n, value);
    return value;
  }

  int32_t symbol(int32_t mu, int32_t scale, int32_t value) {
    if (value < -kMaxSymbol || value > kMaxSymbol) fail("a symbol is out of range");
    const LaplaceCdf cdf(mu, scale);
    const int entry = cdf.entry(value);
    range_.interval(cdf.edge(entry), cdf.edge(entry + 1));
    return code_escape(*this, cdf, scale, entry, value);
  }

  std::vector<uint8_t> finish() { return range_.finish(); }

 private:
  RangeEncoder range_;
};

// Counts the ideal code length of what a SymbolEncoder would write.
class SymbolCost {
 public:
  static constexpr bool kDecodes = false;

  [[noreturn]] static void fail(const std::string& message) { SymbolEncoder::fail(message); }

  uint32_t bits(int n, uint32_t value) {
    bits_ += n;
    return value;
  }

  int32_t symbol(int32_t mu, int32_t scale, int32_t value) {
    if (value < -kMaxSymbol || value > kMaxSymbol) fail("a symbol is out of range");
    const LaplaceCdf cdf(mu, scale);
    const int entry = cdf.entry(value);
    // One logarithm per kBatch symbols: a probability is at least 2^-16, so the product stays normal.
    product_ *= double(cdf.edge(entry + 1) - cdf.edge(entry)) / 65536;
    if (++pending_ == kBatch) flush();
    return code_escape(*this, cdf, scale, entry, value);
  }

  // The bits counted since the last call.
  double take() {
    flush();
    const double result = bits_;
    bits_ = 0;
    return result;
  }

 private:
  static constexpr int kBatch = 48;

  void flush() {
    bits_ -= std::log2(product_);
    product_ = 1;
    pending_ = 0;
  }

  double bits_ = 0;
  double product_ = 1;
  int pending_ = 0;
};

}  // namespace wyner
