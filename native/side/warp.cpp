#include "side/warp.h"

#include <algorithm>

#include "base/parallel.h"
#include "side/predict.h"

namespace wyner::side {
namespace {

// A quarter of a block, and the vectors of the three other blocks that it is near to.
struct Quarter {
  Block part;
  Vector across, down, diagonal;
};

// Predictions of a quarter at several vectors, those that are alike computed once. The first is given.
class Predictions {
 public:
  Predictions(const Plane& plane, const Block& part, Range range, Vector own, const int16_t* predicted)
      : plane_(plane), part_(part), range_(range), vectors_{own}, rows_{predicted} {}

  // Rows are kSideBlock samples apart.
  const int16_t* at(Vector v) {
    for (int k = 0; k < count_; ++k)
      if (vectors_[k] == v) return rows_[k];
    int16_t* out = memory_ + (count_ - 1) * kQuarter;
    predict(plane_, part_, v, range_, out);
    vectors_[count_] = v;
    rows_[count_] = out;
    return rows_[count_++];
  }

 private:
  static constexpr int kQuarter = kSideBlock * kSideBlock / 2;

  const Plane& plane_;
  const Block& part_;
  Range range_;
  int count_ = 1;
  Vector vectors_[4];
  const int16_t* rows_[4];
  int16_t memory_[3 * kQuarter];
};

template <class Sample>
class Warper {
 public:
  Warper(const std::vector<Plane>& planes, const Field& field, int width, int height, int maxval,
         Sample* warped, uint8_t* valid)
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
    const int s = field_.block;
    const Block all{column * s, row * s, std::min(s, width_ - column * s), std::min(s, height_ - row * s)};
    const Vector own = vector(column, row);
    int16_t predicted[kSideBlock * kSideBlock], blended[kSideBlock * kSideBlock];
    for (size_t c = 0; c < planes_.size(); ++c) {
      predict(planes_[c], all, own, range_, predicted);
      for (const int down : {-1, 1})
        for (const int across : {-1, 1}) {
          const Quarter q = quarter(column, row, across, down);
          const size_t start = size_t(q.part.top - all.top) * kSideBlock + (q.part.left - all.left);
          if (q.part.width > 0 && q.part.height > 0)
            blend(planes_[c], q, own, predicted + start, blended + start);
        }
      store(all, c, blended);
    }
    mark(all, own);
  }

 private:
  Vector vector(int column, int row) const { return field_.vectors[field_.at(column, row)]; }

  // Of a block beside (column, row), which stands in for those that do not exist or predict nothing.
  Vector neighbour(int column, int row, int across, int down) const {
    const int c = column + across, r = row + down;
    const bool exists = c >= 0 && c < field_.columns && r >= 0 && r < field_.rows;
    return exists && field_.valid[field_.at(c, r)] ? vector(c, r) : vector(column, row);
  }

  Quarter quarter(int column, int row, int across, int down) const {
    const int half = field_.block / 2;
    const int left = column * field_.block + (across > 0 ? half : 0);
    const int top = row * field_.block + (down > 0 ? half : 0);
    return {{left, top, std::min(half, width_ - left), std::min(half, height_ - top)},
            neighbour(column, row, across, 0),
            neighbour(column, row, 0, down),
            neighbour(column, row, across, down)};
  }

  void blend(const Plane& plane, const Quarter& q, Vector own, const int16_t* predicted, int16_t* out) const {
    Predictions predictions(plane, q.part, range_, own, predicted);
    const int16_t *across = predictions.at(q.across), *down = predictions.at(q.down);
    const int16_t* diagonal = predictions.at(q.diagonal);
    const int s = field_.block;
    int weights[kSideBlock / 2];
    for (int x = 0; x < q.part.width; ++x) weights[x] = neighbour_weight((q.part.left + x) & (s - 1), s);
    for (int y = 0; y < q.part.height; ++y) {
      const int b = neighbour_weight((q.part.top + y) & (s - 1), s), row = y * kSideBlock;
      for (int x = 0; x < q.part.width; ++x) {
        const int a = weights[x], i = row + x;
        const int above = (64 - a) * predicted[i] + a * across[i],
                  below = (64 - a) * down[i] + a * diagonal[i];
        out[i] = int16_t(((64 - b) * above + b * below + 2048) >> 12);
      }
    }
  }

  void store(const Block& all, size_t channel, const int16_t* rows) const {
    for (int y = 0; y < all.height; ++y, rows += kSideBlock) {
      Sample* out = warped_ + pixel(all.left, all.top + y) * planes_.size() + channel;
      for (int x = 0; x < all.width; ++x, out += planes_.size()) *out = Sample(rows[x] + kSampleBias);
    }
  }

  // Sets the validity of a block, and clears the samples whose nearest sample lies outside the side picture.
  void mark(const Block& all, Vector own) const {
    const Plane& plane = planes_.front();
    for (int y = all.top; y < all.top + all.height; ++y) {
      const int from_y = y + ((own.y + 2) >> 2);
      for (int x = all.left; x < all.left + all.width; ++x) {
        const int from_x = x + ((own.x + 2) >> 2);
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
void warp_as(const std::vector<Plane>& planes, const Field& field, int width, int height, int maxval,
             int threads, Sample* warped, uint8_t* valid) {
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

void warp(const Picture& side, const Field& field, int width, int height, int channels, int maxval,
          int threads, void* warped, uint8_t* valid) {
  const Field expected(field.block, width, height);
  if (field.columns != expected.columns || field.rows != expected.rows)
    throw Error(ErrorKind::argument, "warp: the field is that of a picture of another size");
  const std::vector<Plane> planes = convert(side, channels, maxval);
  if (maxval == 255)
    warp_as(planes, field, width, height, maxval, threads, static_cast<uint8_t*>(warped), valid);
  else warp_as(planes, field, width, height, maxval, threads, static_cast<uint16_t*>(warped), valid);
}

}  // namespace wyner::side
