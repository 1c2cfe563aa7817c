// The interpolation filter (docs/spec/side.md, section 4): taps at -3..4 for 16 fractions of a pixel, out of 64.
#pragma once

#include <cstdint>

namespace wyner::side {

constexpr int kTaps = 8;
constexpr int kTapsBefore = 3;

// A sinc under a window of half-width 4, rounded. Fraction 16 - f is fraction f mirrored.
constexpr int16_t kFilter[16][kTaps] = {
    {0, 0, 0, 64, 0, 0, 0, 0},        {0, 1, -3, 63, 4, -1, 0, 0},      {-1, 2, -6, 63, 8, -3, 1, 0},
    {-1, 3, -8, 60, 13, -4, 1, 0},    {-1, 4, -10, 57, 18, -6, 2, 0},   {-1, 4, -11, 53, 23, -7, 3, 0},
    {-1, 4, -11, 50, 29, -9, 3, -1},  {-1, 4, -11, 46, 34, -10, 3, -1}, {-1, 4, -11, 40, 40, -11, 4, -1},
    {-1, 3, -10, 34, 46, -11, 4, -1}, {-1, 3, -9, 29, 50, -11, 4, -1},  {0, 3, -7, 23, 53, -11, 4, -1},
    {0, 2, -6, 18, 57, -10, 4, -1},   {0, 1, -4, 13, 60, -8, 3, -1},    {0, 1, -3, 8, 63, -6, 2, -1},
    {0, 0, -1, 4, 63, -3, 1, 0},
};

}  // namespace wyner::side
