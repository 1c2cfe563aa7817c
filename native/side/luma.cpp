#include "side/luma.h"

#include <algorithm>
#include <cmath>

namespace wyner::side {
namespace {

struct Moments {
  double mean, deviation;
};

Moments moments(const Plane& plane) {
  int64_t sum = 0, squares = 0;
  for (int y = 0; y < plane.height; ++y) {
    const int16_t* r = plane.row(y);
    for (int x = 0; x < plane.width; ++x) {
      sum += r[x];
      squares += r[x] * r[x];
    }
  }
  const double count = double(plane.width) * plane.height, mean = sum / count;
  return {mean, std::sqrt(std::max(0.0, squares / count - mean * mean))};
}

}  // namespace

Plane luma_plane(const Picture& picture) {
  std::vector<Plane> converted = convert(picture, 1, picture.maxval);
  Plane& plane = converted.front();
  for (int y = 0; y < plane.height; ++y) {
    int16_t* r = plane.row(y);
    for (int x = -Plane::kPad; x < plane.width + Plane::kPad; ++x) {
      const int v = r[x] + kSampleBias;
      r[x] = int16_t(picture.maxval == 255 ? 4 * v : v >> 6);
    }
  }
  return std::move(plane);
}

Plane halved(const Plane& plane) {
  Plane half((plane.width + 1) / 2, (plane.height + 1) / 2);
  for (int y = 0; y < half.height; ++y) {
    const int16_t *a = plane.clamped_row(2 * y),
                  *b = plane.clamped_row(2 * y + 1);  // padded: column `width` exists
    int16_t* out = half.row(y);
    for (int x = 0; x < half.width; ++x)
      out[x] = int16_t((a[2 * x] + a[2 * x + 1] + b[2 * x] + b[2 * x + 1] + 2) >> 2);
    half.pad_row(y);
  }
  return half;
}

void match_exposure(Plane& plane, const Plane& target) {
  const Moments from = moments(plane), to = moments(target);
  if (from.deviation < 4 || to.deviation < 4) return;
  const double gain = to.deviation / from.deviation;
  const bool same = std::abs(gain - 1) < 0.06 && std::abs(from.mean - to.mean) < 12;
  if (same || gain < 0.4 || gain > 2.5) return;
  for (int y = 0; y < plane.height; ++y) {
    int16_t* r = plane.row(y);
    for (int x = 0; x < plane.width; ++x)
      r[x] = int16_t(std::clamp(std::lround((r[x] - from.mean) * gain + to.mean), 0L, long{kMaxLuma}));
    plane.pad_row(y);
  }
}

}  // namespace wyner::side
