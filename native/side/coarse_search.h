// Where the parts of a picture may lie in its side picture, found on pictures of reduced size.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "side/field.h"
#include "side/source.h"

namespace wyner::side {

// A displacement in whole pixels.
struct Shift {
  int x = 0, y = 0;
};

constexpr int kShiftsPerCell = 3;

// Cells of `size` pixels, in row order, each with its likeliest displacements, best first.
struct CoarseField {
  int size, columns, rows;
  int step;  // pixels that one step of the search stood for: the uncertainty of the displacements
  std::vector<std::array<Shift, kShiftsPerCell>> shifts;

  const std::array<Shift, kShiftsPerCell>& at(int column, int row) const {
    return shifts[size_t(row) * columns + column];
  }
};

// x and y are luma planes of luma.h. Displacements up to a quarter of the width (and of the height, if the
// whole picture moved so) are found, and those that vectors can hold are of use.
CoarseField coarse_search(const Plane& x, const Plane& y);

}  // namespace wyner::side
