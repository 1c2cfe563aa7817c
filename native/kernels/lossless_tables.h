// Tables and small functions of docs/spec/lossless.md, section 3. For kernel units and others: everything sits
// in an anonymous namespace.
#pragma once

#include <cstdint>

namespace {

#include "kernels/lossless_tables.inc"

constexpr int kInverseBits = 15;
constexpr int kPowerBits = 15;
constexpr int kPartBits = 14;    // of what a key has in a query's sum
constexpr int kScoreShift = 10;  // from products of q and k to 1/256 of a power of two
constexpr int kMaxChannels = 128;
constexpr int kMaxKeys = 256;

// 2^kPowerBits * 2^-(t / 256), t >= 0.
inline int32_t power_of_half(int32_t t) {
  const int whole = t >> 8;
  return whole > 31 ? 0 : kPower[t & 255] >> whole;
}

// 256 times the logarithm to base 2 of v >= 1, by a table.
inline int32_t log2_of(uint32_t v) {
  const int whole = 31 - __builtin_clz(v);
  const uint32_t digits = whole >= 8 ? v >> (whole - 8) : v << (8 - whole);
  return 256 * whole + kLog2[digits & 255];
}

}  // namespace
