#include "side/source.h"

#include <algorithm>

namespace wyner::side {
namespace {

int luma(int r, int g, int b) { return (77 * r + 150 * g + 29 * b + 128) >> 8; }

int rescaled(int v, int from, int to) {
  if (from == to) return v;
  return to > from ? v * 257 : (v + 128) / 257;
}

template <class Sample>
void convert_row(const Sample* in, const Picture& picture, int maxval, int channel, bool to_grey,
                 int16_t* out) {
  const int step = picture.channels;
  for (int x = 0; x < picture.width; ++x, in += step) {
    const int v = to_grey ? luma(in[0], in[1], in[2]) : in[step == 1 ? 0 : channel];
    out[x] = int16_t(rescaled(v, picture.maxval, maxval) - kSampleBias);
  }
}

}  // namespace

void Plane::pad_row(int y) {
  int16_t* r = row(y);
  std::fill(r - kPad, r, r[0]);
  std::fill(r + width, r + width + kPad, r[width - 1]);
}

std::vector<Plane> convert(const Picture& picture, int channels, int maxval) {
  const bool to_grey = channels == 1 && picture.channels == 3;
  std::vector<Plane> planes;
  for (int c = 0; c < channels; ++c) {
    Plane& plane = planes.emplace_back(picture.width, picture.height);
    for (int y = 0; y < picture.height; ++y) {
      const size_t start = size_t(y) * picture.width * picture.channels;
      if (picture.maxval == 255)
        convert_row(static_cast<const uint8_t*>(picture.samples) + start, picture, maxval, c, to_grey,
                    plane.row(y));
      else
        convert_row(static_cast<const uint16_t*>(picture.samples) + start, picture, maxval, c, to_grey,
                    plane.row(y));
      plane.pad_row(y);
    }
  }
  return planes;
}

}  // namespace wyner::side
