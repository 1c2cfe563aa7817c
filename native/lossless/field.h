// Activations of one resolution: rows of pairs of channels, with zeros around (kernels/lossless_kernels.h).
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/aligned.h"
#include "kernels/lossless_kernels.h"

namespace wyner::lossless {

class Field {
 public:
  Field() = default;
  Field(int channels, int width, int height)
      : width_(width), height_(height), pairs_(channels / 2),
        stride_(2 * (segments() * kSegment + 2 * kMargin)),
        data_(size_t(pairs_) * (height + 2) * stride_, 0) {}

  int width() const { return width_; }
  int height() const { return height_; }
  int pairs() const { return pairs_; }
  int segments() const { return (width_ + kSegment - 1) / kSegment; }
  int64_t row_stride() const { return int64_t(stride_); }

  // Position x of row y of pair p; -1 <= y <= height.
  int16_t* at(int p, int y, int x) {
    return data_.data() + (size_t(p) * (height_ + 2) + y + 1) * stride_ + 2 * (x + kMargin);
  }
  const int16_t* at(int p, int y, int x) const { return const_cast<Field*>(this)->at(p, y, x); }

  // Segments write whole vectors: puts back the zero that a convolution reads to the right of a row.
  void end_row(int y) {
    for (int p = 0; p < pairs_; ++p) {
      int16_t* beyond = at(p, y, width_);
      beyond[0] = beyond[1] = 0;
    }
  }

 private:
  static constexpr int kMargin = 16;  // positions: rows begin on a cache line

  int width_ = 0, height_ = 0, pairs_ = 0;
  size_t stride_ = 0;
  AlignedVector<int16_t> data_;
};

}  // namespace wyner::lossless
