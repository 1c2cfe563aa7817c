#include "side/warp.h"

#include <algorithm>

#include "base/parallel.h"
#include "side/predict.h"

namespace wyner::side {
namespace {

// A quarter of a block is predicted by its own block's vector and by those of the three blocks nearest to it.
struct Quarter {
  Block part;
  Vector own, across, down, diagonal;
};

template <class Sample>
class Warper {
 public:
  Warper(const std::vector<Plane>& planes, const Field& field, int width, int height, int maxval, Sample* warped,
         uint8_t* valid)
      : planes_(planes),
        field_(field),
        width_(width),
        height_(height),
        range_{-kSampleBias, maxval - kSampleBias},
        warped_(warped),
        valid_(valid) {}

  // Both outputs are zeros before.
  void block(int column, int row) const {
    if (!field_.valid[field_.at(column, row)]) return;
    const int half = field_.block / 2;
    for (const int down : {-1, 1})
      for (const int across : {-1, 1}) {
        const int left = column * field_.block + (across > 0 ? half : 0);
        const int top = row * field_.block + (down > 0 ? half : 0);
        const Block part{left, top, std::min(half, width_ - left), std::min(half, height_ - top)};
        if (part.width <= 0 || part.height <= 0) continue;
        const Quarter quarter{part, vector(column, row), neighbour(column, row, across, 0),
                              neighbour(column, row, 0, down), neighbour(column, row, across, down)};
        for (size_t c = 0; c < planes_.size(); ++c) fill(quarter, c);
        mark(quarter);
      }
  }

 private:
  Vector vector(int column, int row) const { return field_.vectors[field_.at(column, row)]; }

  // Of a block beside (column, row), which stands in for those that do not exist or predict nothing.
  Vector neighbour(int column, int row, int across, int down) const {
    const int c = column + across, r = row + down;
    const bool exists = c >= 0 && c < field_.columns && r >= 0 && r < field_.rows;
    return exists && field_.valid[field_.at(c, r)] ? vector(c, r) : vector(column, row);
  }

  void fill(const Quarter& q, size_t channel) const {
    const Plane& plane = planes_[channel];
    int16_t own[kSideBlock * kSideBlock];
    predict(plane, q.part, q.own, range_, own);
    if (!(q.across == q.own && q.down == q.own && q.diagonal == q.own)) blend(plane, q, own);
    for (int y = 0; y < q.part.height; ++y) {
      Sample* out = warped_ + pixel(q.part.left, q.part.top + y) * planes_.size() + channel;
      for (int x = 0; x < q.part.width; ++x, out += planes_.size()) *out = Sample(own[y * kSideBlock + x] + kSampleBias);
    }
  }

  void blend(const Plane& plane, const Quarter& q, int16_t* own) const {
    constexpr int kHalf = kSideBlock * kSideBlock / 2;
    int16_t across[kHalf], down[kHalf], diagonal[kHalf];
    predict(plane, q.part, q.across, range_, across);
    predict(plane, q.part, q.down, range_, down);
    predict(plane, q.part, q.diagonal, range_, diagonal);
    const int s = field_.block;
    int weights[kSideBlock / 2];
    for (int x = 0; x < q.part.width; ++x) weights[x] = neighbour_weight((q.part.left + x) & (s - 1), s);
    for (int y = 0; y < q.part.height; ++y) {
      const int b = neighbour_weight((q.part.top + y) & (s - 1), s), row = y * kSideBlock;
      for (int x = 0; x < q.part.width; ++x) {
        const int a = weights[x], i = row + x;
        const int above = (64 - a) * own[i] + a * across[i], below = (64 - a) * down[i] + a * diagonal[i];
        own[i] = int16_t(((64 - b) * above + b * below + 2048) >> 12);
      }
    }
  }

  // Sets the validity of the quarter, and clears the samples whose nearest sample lies outside the side picture.
  void mark(const Quarter& q) const {
    const Plane& plane = planes_.front();
    for (int y = q.part.top; y < q.part.top + q.part.height; ++y) {
      const int from_y = y + ((q.own.y + 2) >> 2);
      for (int x = q.part.left; x < q.part.left + q.part.width; ++x) {
        const int from_x = x + ((q.own.x + 2) >> 2);
        const bool inside = from_x >= 0 && from_x < plane.width && from_y >= 0 && from_y < plane.height;
        valid_[pixel(x, y)] = inside;
        if (!inside) std::fill_n(warped_ + pixel(x, y) * planes_.size(), planes_.size(), Sample{0});
      }
    }
  }

  size_t pixel(int x, int y) const { return size_t(y) * width_ + x; }

  const std::vector<Plane>& planes_;
  const Field& field_;
  int width_, height_;
  Range range_;
  Sample* warped_;
  uint8_t* valid_;
};

template <class Sample>
void warp_as(const std::vector<Plane>& planes, const Field& field, int width, int height, int maxval, int threads,
             Sample* warped, uint8_t* valid) {
  const size_t pixels = size_t(width) * height;
  std::fill_n(warped, pixels * planes.size(), Sample{0});
  std::fill_n(valid, pixels, uint8_t{0});
  const Warper<Sample> warper(planes, field, width, height, maxval, warped, valid);
  parallel_parts(field.rows, threads, [&](int begin, int end) {
    for (int row = begin; row < end; ++row)
      for (int column = 0; column < field.columns; ++column) warper.block(column, row);
  });
}

}  // namespace

void warp(const Picture& side, const Field& field, int width, int height, int channels, int maxval, int threads,
          void* warped, uint8_t* valid) {
  const Field expected(field.block, width, height);
  if (field.columns != expected.columns || field.rows != expected.rows)
    throw Error(ErrorKind::argument, "warp: the field is that of a picture of another size");
  const std::vector<Plane> planes = convert(side, channels, maxval);
  if (maxval == 255)
    warp_as(planes, field, width, height, maxval, threads, static_cast<uint8_t*>(warped), valid);
  else
    warp_as(planes, field, width, height, maxval, threads, static_cast<uint16_t*>(warped), valid);
}

}  // namespace wyner::side
