#include "side/block_match.h"

#include <algorithm>

#include "side/filter.h"

namespace wyner::side {
namespace {

constexpr int kLargest = 32;
constexpr float kWeightOfMean = 1.0f / 16;

struct Sums {
  int64_t sum = 0, squares = 0;
};

Sums difference_row(const int16_t* a, const int16_t* b, int width) {
  int sum = 0, squares = 0;
  for (int x = 0; x < width; ++x) {
    const int16_t d = int16_t(a[x] - b[x]);
    sum += d;
    squares += d * d;
  }
  return {sum, squares};
}

void filter_row(const int16_t* in, int stride, const int16_t* taps, int16_t* out, int width) {
  for (int x = 0; x < width; ++x) {
    int sum = 32;
    for (int k = 0; k < kTaps; ++k) sum += taps[k] * in[x + (k - kTapsBefore) * stride];
    out[x] = int16_t(sum >> 6);
  }
}

// The block of y at a displacement.
class Displaced {
 public:
  Displaced(const Plane& y, const Block& block, Vector v)
      : y_(y),
        // Farther out all samples are those of the edge.
        left_(std::clamp(block.left + (v.x >> 2), 4 - Plane::kPad, y.width + 3)),
        top_(block.top + (v.y >> 2)),
        across_(kFilter[4 * (v.x & 3)]),
        down_(kFilter[4 * (v.y & 3)]),
        moves_across_(v.x & 3),
        moves_down_(v.y & 3) {
    if (moves_down_)
      for (int i = 0; i < block.height + kTaps - 1; ++i) across(i - kTapsBefore, block.width, rows_[i]);
  }

  // Row i of the block; `scratch` may be used.
  const int16_t* row(int i, int width, int16_t* scratch) {
    if (moves_down_) {
      filter_row(rows_[i + kTapsBefore], kLargest, down_, scratch, width);
      return scratch;
    }
    if (!moves_across_) return y_.clamped_row(top_ + i) + left_;
    across(i, width, scratch);
    return scratch;
  }

 private:
  void across(int i, int width, int16_t* out) const {
    const int16_t* r = y_.clamped_row(top_ + i) + left_;
    if (moves_across_) filter_row(r, 1, across_, out, width);
    else std::copy(r, r + width, out);
  }

  const Plane& y_;
  int left_, top_;
  const int16_t *across_, *down_;
  bool moves_across_, moves_down_;
  int16_t rows_[kLargest + kTaps - 1][kLargest];
};

}  // namespace

float mean_square_error(const Plane& x, const Plane& y, const Block& block, Vector v) {
  Displaced displaced(y, block, v);
  int16_t scratch[kLargest];
  Sums total;
  for (int i = 0; i < block.height; ++i) {
    const int16_t* b = displaced.row(i, block.width, scratch);
    const Sums row = difference_row(x.row(block.top + i) + block.left, b, block.width);
    total.sum += row.sum;
    total.squares += row.squares;
  }
  const float count = float(block.width * block.height), mean = float(total.sum) / count;
  const float variance = std::max(0.0f, float(total.squares) / count - mean * mean);
  return (variance + kWeightOfMean * mean * mean) / 16;  // luma is in quarters of an 8-bit step
}

float own_variance(const Plane& x, const Block& block) {
  int64_t sum = 0, squares = 0;
  for (int i = 0; i < block.height; ++i) {
    const int16_t* r = x.row(block.top + i) + block.left;
    for (int k = 0; k < block.width; ++k) {
      sum += r[k];
      squares += r[k] * r[k];
    }
  }
  const float count = float(block.width * block.height), mean = float(sum) / count;
  return std::max(0.0f, float(squares) / count - mean * mean) / 16;
}

}  // namespace wyner::side
