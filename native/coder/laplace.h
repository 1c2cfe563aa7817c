// Laplace symbols over the range coder (docs/spec/overfit.md, section 3).
#pragma once

#include <algorithm>
#include <cstdint>

#include "coder/range_coder.h"

namespace wyner {

#include "coder/laplace_tables.inc"

constexpr int kMaxScale = 208;
constexpr int kMaxSymbol = 32767;
constexpr int kMaxEscapeOnes = 15;

// The cumulative distribution of one symbol. Entry i has the interval [edge(i), edge(i + 1)).
class LaplaceCdf {
 public:
  LaplaceCdf(int32_t mu, int32_t scale)
      : inv_(kInvB[scale]), k0_((mu + 32) >> 6), w_(kWindow[scale]), mu_(mu - k0_ * 64) {}

  int32_t k0() const { return k0_; }
  int entries() const { return 2 * w_ + 3; }
  int centre() const { return w_ + 1; }
  int32_t value(int entry) const { return k0_ + entry - centre(); }
  // The entry that holds `value`, escapes included.
  int entry(int32_t value) const { return std::clamp(value - k0_ + centre(), 0, entries() - 1); }

  // F(i), valid for 0 <= i <= entries().
  uint32_t edge(int i) const {
    if (i <= 0) return 0;
    return i >= entries() ? 65536 : inner_edge(i);
  }

  // The two edges of the centre entry: the value nearest to mu, and the most probable one.
  uint32_t centre_low() const { return shrink(centre(), tail(uint32_t(32 + mu_))); }
  uint32_t centre_high() const { return shrink(centre() + 1, 65536 - tail(uint32_t(32 - mu_))); }

 private:
  uint32_t inner_edge(int i) const {
    const int32_t x = (i - centre()) * 64 - 32 - mu_;
    return shrink(i, x >= 0 ? 65536 - tail(uint32_t(x)) : tail(uint32_t(-x)));
  }

  // d < 2^15, and d * inv_ < 2^32 because the window grows with the scale.
  uint32_t tail(uint32_t d) const {
    const uint32_t t = d * inv_;
    return kExp2[(t >> 10) & 255] >> std::min(t >> 18, uint32_t{16});
  }

  uint32_t shrink(int i, uint32_t c) const { return i + ((c * (65536 - entries())) >> 16); }

  uint32_t inv_;
  int32_t k0_;
  int w_;
  int32_t mu_;  // relative to k0, -32..31
};

// Order of the Exp-Golomb code of escapes.
inline int escape_order(int32_t scale) { return std::max(0, (scale - 80) >> 4); }

// Codes an excess e >= 0 of an escape. `coder` needs uint32_t bits(n, value), which returns the value
// (a decoder ignores the one it is given). Returns e.
template <class Coder>
uint32_t code_excess(Coder& coder, int order, uint32_t e) {
  int ones = 0;
  while (coder.bits(1, e >= (((uint32_t{2} << ones) - 1) << order)))
    if (++ones > kMaxEscapeOnes) coder.fail("an escape is too long");
  const uint32_t base = ((uint32_t{1} << ones) - 1) << order;
  uint32_t rest = 0;
  for (int left = ones + order; left > 0;) {
    const int n = std::min(16, left);
    left -= n;
    rest = (rest << n) | coder.bits(n, ((e - base) >> left) & ((uint32_t{1} << n) - 1));
  }
  return base + rest;
}

// What follows the entry of a symbol: nothing, or the excess of an escape. Returns the symbol.
template <class Coder>
int32_t code_escape(Coder& coder, const LaplaceCdf& cdf, int32_t scale, int entry, int32_t value) {
  const int32_t edge = cdf.value(entry);
  if (entry > 0 && entry < cdf.entries() - 1) return edge;
  const int32_t sign = entry == 0 ? -1 : 1;
  const uint32_t e = code_excess(coder, escape_order(scale), uint32_t((value - edge) * sign));
  return edge + sign * int32_t(e);
}

// The entry whose interval holds the code, known not to be the centre.
inline int find_entry(const LaplaceCdf& cdf, uint64_t unit, uint64_t code) {
  int low, high;  // edge(low) <= code < edge(high)
  if (code < unit * cdf.edge(cdf.centre())) {
    high = cdf.centre();
    for (int step = 1;; step *= 2) {
      low = std::max(0, high - step);
      if (code >= unit * cdf.edge(low)) break;
      high = low;
    }
  } else {
    if (code >= unit << kProbBits) corrupt("range decoder: code outside the range");
    low = cdf.centre() + 1;
    for (int step = 1;; step *= 2) {
      high = std::min(cdf.entries(), low + step);
      if (code < unit * cdf.edge(high)) break;
      low = high;
    }
  }
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    (code >= unit * cdf.edge(middle) ? low : high) = middle;
  }
  return low;
}

}  // namespace wyner
