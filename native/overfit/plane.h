// A plane of 16-bit samples with slack at its end, for kernels that read whole vectors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/overfit_kernels.h"

namespace wyner::overfit {

// What a container header tells of a picture.
struct Picture {
  int width, height;
  int channels;  // 1 or 3
  int maxval;    // 255 or 65535
};
constexpr int kMaxSide = 1 << 17;

// Throws Error (argument, or limit for sides over kMaxSide) unless the codec can hold the picture.
void check_picture(const Picture& picture);

struct Plane {
  Plane() = default;
  Plane(int w, int h) : width(w), height(h), data(size_t(w) * h + kRowSlack) {}

  int16_t* row(int y) { return data.data() + size_t(y) * width; }
  const int16_t* row(int y) const { return data.data() + size_t(y) * width; }
  size_t size() const { return size_t(width) * height; }

  int width = 0, height = 0;
  std::vector<int16_t> data;
};

// Size of grid i of a picture: halved i times, rounding up.
inline int grid_size(int size, int i) { return int((int64_t{size} + (int64_t{1} << i) - 1) >> i); }

// Zero planes of every grid, finest first.
inline std::vector<Plane> make_grids(int width, int height, int grids) {
  std::vector<Plane> planes;
  for (int i = 0; i < grids; ++i) planes.emplace_back(grid_size(width, i), grid_size(height, i));
  return planes;
}

// One working row with room for repeated samples before and after it.
class Row {
 public:
  static constexpr int kMargin = 8;
  Row() = default;
  explicit Row(int width) : width_(width), data_(size_t(width) + kMargin + kRowSlack) {}

  int16_t* begin() { return data_.data() + kMargin; }
  const int16_t* begin() const { return data_.data() + kMargin; }

  // Repeats the first and the last sample n times outside the row.
  void extend(int n) {
    int16_t* p = begin();
    for (int i = 1; i <= n; ++i) {
      p[-i] = p[0];
      p[width_ - 1 + i] = p[width_ - 1];
    }
  }

 private:
  int width_ = 0;
  std::vector<int16_t> data_;
};

}  // namespace wyner::overfit
