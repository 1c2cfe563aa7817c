// Planes of 32-bit integers and the means of docs/spec/refine.md.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/parallel.h"

namespace wyner::side {

class IntPlane {
 public:
  IntPlane(int width, int height) : width(width), height(height), data_(size_t(width) * height) {}

  int32_t* row(int y) { return data_.data() + size_t(width) * y; }
  const int32_t* row(int y) const { return data_.data() + size_t(width) * y; }
  const int32_t* clamped_row(int y) const { return row(std::clamp(y, 0, height - 1)); }

  int width, height;

 private:
  std::vector<int32_t> data_;
};

// A plane whose samples are sample(y, x).
template <class Sample>
IntPlane make_plane(int width, int height, int threads, Sample sample) {
  IntPlane plane(width, height);
  parallel_parts(height, threads, [&](int begin, int end) {
    for (int y = begin; y < end; ++y) {
      int32_t* out = plane.row(y);
      for (int x = 0; x < width; ++x) out[x] = sample(y, x);
    }
  });
  return plane;
}

// Section 2: the 3x3 binomial mean, and the mean of a square of 2 reach + 1 samples each way.
IntPlane smooth(const IntPlane& plane, int threads);
IntPlane box(const IntPlane& plane, int reach, int threads);

}  // namespace wyner::side
