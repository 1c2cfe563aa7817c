#include "side/warp.h"

#include <algorithm>
#include <bit>
#include <cstdlib>

#include "base/parallel.h"
#include "side/filter.h"

namespace wyner::side {
namespace {

int g_closeness = std::getenv("CLOSE") ? std::atoi(std::getenv("CLOSE")) : 8;

struct Sums {
  int x, y;
};

bool close(Vector a, Vector b) { return std::abs(a.x - b.x) <= g_closeness && std::abs(a.y - b.y) <= g_closeness; }

class Warper {
 public:
  Warper(const std::vector<Plane>& planes, const Field& field, int width, int height, int maxval)
      : planes_(planes), field_(field), width_(width), height_(height), maxval_(maxval) {}

  template <class Sample>
  void row(int y, Sample* warped, uint8_t* valid) const {
    const int s = field_.block, by = y / s;
    for (int bx = 0; bx < field_.columns; ++bx) {
      const int begin = bx * s, end = std::min(begin + s, width_), middle = std::min(begin + s / 2, width_);
      if (!field_.valid[field_.at(bx, by)]) {
        std::fill(warped + size_t(begin) * planes_.size(), warped + size_t(end) * planes_.size(), Sample{0});
        std::fill(valid + begin, valid + end, uint8_t{0});
        continue;
      }
      span(y, bx, by, bx - 1, begin, middle, warped, valid);
      span(y, bx, by, bx, middle, end, warped, valid);
    }
  }

 private:
  // The vector of block (column, row), or of the pixel's own block where that one cannot stand beside it.
  Vector corner(int column, int row, Vector own) const {
    const size_t i = field_.at(std::clamp(column, 0, field_.columns - 1), std::clamp(row, 0, field_.rows - 1));
    return field_.valid[i] && close(field_.vectors[i], own) ? field_.vectors[i] : own;
  }

  // Columns begin..end-1 of row y, which lie between the centres of block columns `left` and left + 1.
  template <class Sample>
  void span(int y, int bx, int by, int left, int begin, int end, Sample* warped, uint8_t* valid) const {
    const int s = field_.block, shift = std::countr_zero(unsigned(s));
    const Vector own = field_.vectors[field_.at(bx, by)];
    const int above = (2 * y + 1 - s) >> (shift + 1), fy = (2 * y + 1 - s) & (2 * s - 1);
    const auto column = [&](int c) -> Sums {
      const Vector a = corner(c, above, own), b = corner(c, above + 1, own);
      return {a.x * (2 * s - fy) + b.x * fy, a.y * (2 * s - fy) + b.y * fy};
    };
    const Sums l = column(left), r = column(left + 1);
    const int half = 1 << (2 * shift - 1);
    for (int x = begin; x < end; ++x) {
      const int fx = (2 * x + 1 - s) & (2 * s - 1);
      const int vx = (l.x * (2 * s - fx) + r.x * fx + half) >> (2 * shift);
      const int vy = (l.y * (2 * s - fx) + r.y * fx + half) >> (2 * shift);
      valid[x] = pixel(16 * x + vx, 16 * y + vy, warped + size_t(x) * planes_.size());
    }
  }

  // The sample at a position in 1/16 pixels.
  template <class Sample>
  uint8_t pixel(int px, int py, Sample* out) const {
    const int nearest_x = (px + 8) >> 4, nearest_y = (py + 8) >> 4;
    const Plane& first = planes_.front();
    if (nearest_x < 0 || nearest_x >= first.width || nearest_y < 0 || nearest_y >= first.height) {
      std::fill(out, out + planes_.size(), Sample{0});
      return 0;
    }
    const int ix = px >> 4, iy = py >> 4, fx = px & 15, fy = py & 15;
    for (size_t c = 0; c < planes_.size(); ++c) out[c] = Sample(interpolated(planes_[c], ix, iy, fx, fy));
    return 1;
  }

  int interpolated(const Plane& plane, int ix, int iy, int fx, int fy) const {
    int sum;
    if (fy == 0) {
      const int16_t* r = plane.clamped_row(iy);
      if (fx == 0) return r[ix] + kSampleBias;
      sum = 64 * horizontal(r + ix, fx);
    } else {
      sum = 0;
      for (int k = 0; k < kTaps; ++k) {
        const int16_t* r = plane.clamped_row(iy + k - kTapsBefore) + ix;
        sum += kFilter[fy][k] * (fx == 0 ? 64 * r[0] : horizontal(r, fx));
      }
    }
    return std::clamp((sum + kSampleBias * 4096 + 2048) >> 12, 0, maxval_);
  }

  static int horizontal(const int16_t* r, int fx) {
    int sum = 0;
    for (int k = 0; k < kTaps; ++k) sum += kFilter[fx][k] * r[k - kTapsBefore];
    return sum;
  }

  const std::vector<Plane>& planes_;
  const Field& field_;
  int width_, height_, maxval_;
};

}  // namespace

void warp(const Picture& side, const Field& field, int width, int height, int channels, int maxval, int threads,
          void* warped, uint8_t* valid) {
  const Field expected(field.block, width, height);
  if (field.columns != expected.columns || field.rows != expected.rows || field.vectors.size() != expected.vectors.size())
    throw Error(ErrorKind::argument, "warp: the field is of another size");
  const std::vector<Plane> planes = convert(side, channels, maxval);
  const Warper warper(planes, field, width, height, maxval);
  parallel_parts(height, threads, [&](int begin, int end) {
    for (int y = begin; y < end; ++y) {
      const size_t pixel = size_t(y) * width;
      if (maxval == 255)
        warper.row(y, static_cast<uint8_t*>(warped) + pixel * channels, valid + pixel);
      else
        warper.row(y, static_cast<uint16_t*>(warped) + pixel * channels, valid + pixel);
    }
  });
}

}  // namespace wyner::side
