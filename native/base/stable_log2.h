// A logarithm with the same bits on every machine: those of the C library differ in the last place.
#pragma once

#include <bit>
#include <cstdint>

namespace wyner {

// The logarithm of a normal number > 0, to about 1e-7. IEEE additions, multiplications and one division, in an
// order that -ffp-contract=off keeps.
inline float stable_log2(float v) {
  const uint32_t bits = std::bit_cast<uint32_t>(v);
  const int exponent = int(bits >> 23) - 127;
  const double m = std::bit_cast<float>((bits & 0x7fffffu) | 0x3f800000u);
  const double s = (m - 1) / (m + 1), q = s * s;  // log m = 2 artanh s, |s| < 1/3
  const double series = 1 + q * (1.0 / 3 + q * (1.0 / 5 + q * (1.0 / 7 + q * (1.0 / 9 + q * (1.0 / 11)))));
  return float(exponent + 2.8853900817779268 * s * series);
}

}  // namespace wyner
