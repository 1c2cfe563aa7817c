// The field that tells where each block of a picture is found in its side picture (docs/spec/side.md, section
// 1).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/error.h"

namespace wyner::side {

constexpr int kMaxVector = 4095;  // quarter pixels
constexpr int kMaxSide =
    1 << 24;  // columns or rows of a picture, so that positions in 1/16 pixels fit 32 bits

// Displacement in quarter pixels: sample (x, y) is predicted from (x + vx/4, y + vy/4) of the side picture.
struct Vector {
  int16_t x = 0, y = 0;
  friend bool operator==(const Vector&, const Vector&) = default;
};

inline Vector operator-(Vector a, Vector b) { return {int16_t(a.x - b.x), int16_t(a.y - b.y)}; }

// Blocks in row order; those at the right and bottom edges may be cut off. A block that is not valid predicts
// nothing and has a vector of zeros.
struct Field {
  // Throws Error (argument) unless the block size is 8, 16 or 32 and width and height are 1..kMaxSide.
  Field(int block_size, int width, int height) : block(block_size) {
    if (block != 8 && block != 16 && block != 32)
      throw Error(ErrorKind::argument, "field: block size not 8, 16 or 32");
    if (width < 1 || height < 1 || width > kMaxSide || height > kMaxSide)
      throw Error(ErrorKind::argument, "field: size of the picture out of range");
    columns = (width + block - 1) / block;
    rows = (height + block - 1) / block;
    vectors.resize(size_t(columns) * rows);
    valid.resize(vectors.size(), 1);
  }

  size_t at(int column, int row) const { return size_t(row) * columns + column; }

  int block, columns = 0, rows = 0;
  std::vector<Vector> vectors;
  std::vector<uint8_t> valid;  // 0 or 1
};

// What a block's vector is predicted to be from its neighbours to the west, north and northwest: for each
// component W + N - NW clamped to between W and N. In the first column it is N, in the first row W, in the
// corner 0.
Vector predicted_vector(const Vector* vectors, int columns, int column, int row);

}  // namespace wyner::side
