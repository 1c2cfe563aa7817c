// A side picture made ready for prediction: converted to the coded picture's channels and depth, in planes
// with repeated edges (docs/spec/side.md, section 2).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace wyner::side {

// A picture in memory: `samples` are height * width * channels, uint8_t if maxval is 255, uint16_t if 65535.
struct Picture {
  const void* samples;
  int width, height, channels, maxval;
};

// A plane whose rows are repeated kPad samples beyond both ends. Rows beyond the first and last are clamped
// to.
class Plane {
 public:
  static constexpr int kPad = 40;

  Plane(int width, int height)
      : width(width), height(height), stride_(size_t(width) + 2 * kPad), data_(stride_ * height) {}

  int16_t* row(int y) { return data_.data() + stride_ * y + kPad; }
  const int16_t* row(int y) const { return data_.data() + stride_ * y + kPad; }
  const int16_t* clamped_row(int64_t y) const { return row(int(y < 0 ? 0 : y >= height ? height - 1 : y)); }
  void pad_row(int y);

  int width, height;

 private:
  size_t stride_;
  std::vector<int16_t> data_;
};

constexpr int kSampleBias = 32768;  // samples are stored less this, so that 16 bits hold them with their sign

// One plane per channel. `channels` is 1 or 3, `maxval` 255 or 65535, as are those of `picture`.
std::vector<Plane> convert(const Picture& picture, int channels, int maxval);

}  // namespace wyner::side
