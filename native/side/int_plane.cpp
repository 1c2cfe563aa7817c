#include "side/int_plane.h"

namespace wyner::side {

IntPlane smooth(const IntPlane& plane, int threads) {
  IntPlane out(plane.width, plane.height);
  const int last = plane.width - 1;
  parallel_parts(plane.height, threads, [&](int begin, int end) {
    std::vector<int32_t> sums(plane.width);
    for (int y = begin; y < end; ++y) {
      const int32_t *a = plane.clamped_row(y - 1), *b = plane.row(y), *c = plane.clamped_row(y + 1);
      for (int x = 0; x <= last; ++x) sums[x] = a[x] + 2 * b[x] + c[x];
      int32_t* o = out.row(y);
      for (int x = 0; x <= last; ++x)
        o[x] = (sums[std::max(x - 1, 0)] + 2 * sums[x] + sums[std::min(x + 1, last)] + 8) >> 4;
    }
  });
  return out;
}

IntPlane box(const IntPlane& plane, int reach, int threads) {
  IntPlane out(plane.width, plane.height);
  const int last = plane.width - 1, side = 2 * reach + 1, count = side * side;
  parallel_parts(plane.height, threads, [&](int begin, int end) {
    std::vector<int32_t> sums(plane.width, 0);  // of columns
    const auto add = [&](int y, int sign) {
      const int32_t* r = plane.clamped_row(y);
      for (int x = 0; x <= last; ++x) sums[x] += sign * r[x];
    };
    for (int y = begin - reach; y < begin + reach; ++y) add(y, 1);
    for (int y = begin; y < end; ++y) {
      add(y + reach, 1);
      int32_t sum = 0;
      for (int x = -reach; x < reach; ++x) sum += sums[std::clamp(x, 0, last)];
      int32_t* o = out.row(y);
      for (int x = 0; x <= last; ++x) {
        sum += sums[std::min(x + reach, last)];
        // Floor of the rounded mean; the quotient of C++ rounds towards zero.
        const int32_t twice = 2 * sum + count, divisor = 2 * count;
        o[x] = twice / divisor - (twice % divisor < 0);
        sum -= sums[std::max(x - reach, 0)];
      }
      add(y - reach, -1);
    }
  });
  return out;
}

}  // namespace wyner::side
