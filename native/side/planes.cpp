#include "side/planes.h"

namespace wyner::side {
namespace {

template <class Sample>
std::vector<IntPlane> planes(const Picture& picture, int threads) {
  const Sample* samples = static_cast<const Sample*>(picture.samples);
  const auto at = [&, channels = picture.channels](int y, int x, int c) {
    const int64_t v = samples[(size_t(y) * picture.width + x) * channels + c];
    return int32_t((4096 * v + picture.maxval / 2) / picture.maxval);
  };
  const auto make = [&](auto value) { return make_plane(picture.width, picture.height, threads, value); };
  std::vector<IntPlane> found;
  if (picture.channels == 1) {
    found.push_back(make([&](int y, int x) { return at(y, x, 0); }));
    return found;
  }
  found.push_back(make([&](int y, int x) { return (at(y, x, 0) + 2 * at(y, x, 1) + at(y, x, 2) + 2) >> 2; }));
  found.push_back(make([&](int y, int x) { return at(y, x, 0) - at(y, x, 2); }));
  found.push_back(make([&](int y, int x) { return (2 * at(y, x, 1) - at(y, x, 0) - at(y, x, 2)) >> 1; }));
  return found;
}

}  // namespace

std::vector<IntPlane> colour_planes(const Picture& picture, int threads) {
  return picture.maxval == 255 ? planes<uint8_t>(picture, threads) : planes<uint16_t>(picture, threads);
}

}  // namespace wyner::side
