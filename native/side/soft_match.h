// What a side picture shows where a decoded picture is looked at: the expectation over displacements, each as
// likely as its neighbourhood looks alike (docs/spec/refine.md, sections 2 to 4).
#pragma once

#include <cstdint>
#include <vector>

#include "side/source.h"

namespace wyner::side {

// How displacements are weighed. Labels are horizontal displacements low..high, x + label in the side picture,
// each with the same vertical one. cell: even, the size of the squares of pixels that share probabilities.
// blur: binomial filters of the side picture before it is compared. temperature: half the mean square
// difference, in 8-bit steps, that makes a likelihood e times less.
struct Search {
  int low, high, vertical, cell, blur, temperature;
};

constexpr int kMaxCell = 32;
constexpr int64_t kMaxBeliefs = int64_t{1} << 26;

// Planes, each of x's size: those of the expected picture as in section 1, as many as x has channels; the
// square root of the variance of its Y; and that of the expected mean square difference, both in 1/1024.
// Throws Error (argument) for a search out of range.
std::vector<int16_t> soft_match(const Picture& x, const Picture& side, const Search& search, int threads);

}  // namespace wyner::side
