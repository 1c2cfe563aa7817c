// The adaptive models of the plane coder (docs/spec/plane.md, sections 4 and 5).
//
// One template serves both directions, so that encoder and decoder cannot disagree: `coder.bit(model, b)`
// returns the bit coded, and a decoding coder ignores the b it is passed.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "base/error.h"
#include "coder/bit_coder.h"

namespace wyner::planes {

constexpr int kMaxPalette = 16;

// The coded samples around the next one: W is one to the left, NNE two up and one to the right.
struct Near {
  int w, ww, n, nw, ne, nww, nee, nn, nnw, nne;
};

// The current row and the two above it, with margins for the neighbours outside the picture.
class Rows {
 public:
  explicit Rows(size_t width) : width_(width), stride_(width + 2 * kMargin), data_(3 * stride_, 0) {}

  void begin_row() {
    uint16_t* r = row(0);
    r[-1] = r[-2] = row(1)[0];
  }

  Near near(size_t x) {
    const uint16_t *r0 = row(0) + x, *r1 = row(1) + x, *r2 = row(2) + x;
    return {r0[-1], r0[-2], r1[0], r1[-1], r1[1], r1[-2], r1[2], r2[0], r2[-1], r2[1]};
  }

  void set(size_t x, uint16_t value) { row(0)[x] = value; }

  void end_row() {
    uint16_t* r = row(0);
    r[-1] = r[-2] = r[0];
    r[width_] = r[width_ + 1] = r[width_ - 1];
    current_ = (current_ + 1) % 3;
  }

 private:
  static constexpr size_t kMargin = 2;

  uint16_t* row(size_t above) { return data_.data() + stride_ * ((current_ + 3 - above) % 3) + kMargin; }

  size_t width_;
  size_t stride_;
  size_t current_ = 0;
  std::vector<uint16_t> data_;
};

// Section 4: planes of few values. Guesses neighbours in turn, then spells the index out.
class PaletteModel {
 public:
  explicit PaletteModel(int count) : count_(count), index_bits_(std::bit_width(unsigned(count - 1))) {}

  void begin_row() {}

  template <class Coder>
  uint16_t code(Coder& coder, const Near& p, size_t, int v) {
    const int w = p.w, n = p.n, ne = p.ne, nw = p.nw;
    const int around_w = (n == w) | (ne == w) << 1 | (nw == w) << 2 | (p.ww == w) << 3 | (p.nn == w) << 4 |
                         (p.nnw == w) << 5 | (p.nne == w) << 6 | (p.nww == w) << 7 | (p.nee == w) << 8;
    if (coder.bit(is_w_[around_w], v == w)) return uint16_t(w);
    if (count_ == 2) return uint16_t(1 - w);
    const int around_n = (ne == n) | (nw == n) << 1 | (p.nn == n) << 2;
    if (n != w && coder.bit(is_n_[around_n], v == n)) return uint16_t(n);
    const int around_ne = (p.nee == ne) | (p.nne == ne) << 1;
    if (ne != w && ne != n && coder.bit(is_ne_[around_ne], v == ne)) return uint16_t(ne);
    if (nw != w && nw != n && nw != ne && coder.bit(is_nw_, v == nw)) return uint16_t(nw);
    return index(coder, w, v);
  }

 private:
  template <class Coder>
  uint16_t index(Coder& coder, int w, int v) {
    int node = 1;
    for (int i = index_bits_; i-- > 0;) node = 2 * node + coder.bit(index_[w][node], (v >> i) & 1);
    const int result = node - (1 << index_bits_);
    if (result >= count_) corrupt("plane: palette index out of range");
    return uint16_t(result);
  }

  int count_;
  int index_bits_;
  BitModel is_w_[512];
  BitModel is_n_[8];
  BitModel is_ne_[4];
  BitModel is_nw_;
  BitModel index_[kMaxPalette][kMaxPalette];
};

// Section 5: the difference to a prediction, under contexts of how busy the neighbourhood is.
class DifferenceModel {
 public:
  // Values are 0..top. `selects`: pick the predictor that did best nearby, instead of always the first.
  DifferenceModel(int top, size_t width, bool selects)
      : top_(top), selects_(selects), errors_(width + 1, 0), costs_(selects ? width + 1 : 0, Costs{}) {}

  void begin_row() {
    error_w_ = 0;
    costs_w_ = {};
  }

  // For a sample that was coded by other means: as if its guess had been right.
  void skip(size_t x) {
    error_w_ = errors_[x] = 0;
    if (selects_) {
      for (int& cost : costs_w_) cost >>= 1;
      costs_[x] = {};
    }
  }

  template <class Coder>
  uint16_t code(Coder& coder, const Near& p, size_t x, int v) {
    Costs guesses{};
    const int guess = selects_ ? select(p, x, guesses) : median(p);
    const int error_n = errors_[x];
    const int busy = activity(std::abs(p.w - p.nw) + std::abs(p.n - p.nw) + std::abs(p.n - p.ne) +
                              2 * std::abs(error_w_) + std::abs(error_n) + std::abs(errors_[x + 1]));
    const int edge = guess == 0 ? 0 : guess == top_ ? 1 : 2;

    int error = v - guess;
    if (coder.bit(zero_[busy][edge], error == 0)) {
      error = 0;
    } else {
      BitModel& sign = negative_[std::min(busy, 15)][3 * sign_of(error_w_) + sign_of(error_n)];
      const bool negative = edge == 2 ? coder.bit(sign, error < 0) : edge == 1;
      const int size = magnitude(coder, busy, std::abs(error));
      error = negative ? -size : size;
      if (guess + error < 0 || guess + error > top_) corrupt("plane: sample out of range");
    }
    error_w_ = errors_[x] = error;
    if (selects_) learn(guesses, x, guess + error);
    return uint16_t(guess + error);
  }

 private:
  static constexpr int kPredictors = 7;
  static constexpr int kClasses = 38;  // activities are below 7 * 65536 < 2^19
  using Costs = std::array<int, kPredictors>;

  static int median(const Near& p) {
    return std::clamp(p.w + p.n - p.nw, std::min(p.w, p.n), std::max(p.w, p.n));
  }

  // Two classes per octave: 0, 1, 2, 3, 4-5, 6-7, 8-11, ...
  static int activity(int a) {
    if (a < 2) return a;
    const int octave = std::bit_width(unsigned(a)) - 1;
    return 2 * octave + ((a >> (octave - 1)) & 1);
  }

  static int sign_of(int e) { return (e > 0) - (e < 0) + 1; }

  int select(const Near& p, size_t x, Costs& guesses) const {
    guesses = {median(p),         (p.w + p.n) >> 1, p.w + ((p.ne - p.nw) >> 1),
               p.w + p.n - p.nw,  2 * p.w - p.ww,   2 * p.n - p.nn,
               (3 * (p.w + p.n) - 2 * p.nw + 2) >> 2};
    int best = 0, best_cost = INT32_MAX;
    for (int k = 0; k < kPredictors; ++k) {
      guesses[k] = std::clamp(guesses[k], 0, top_);
      const int cost = costs_w_[k] + costs_[x][k] + costs_[x + 1][k];
      if (cost < best_cost) best_cost = cost, best = k;
    }
    return guesses[best];
  }

  void learn(const Costs& guesses, size_t x, int value) {
    for (int k = 0; k < kPredictors; ++k) {
      const int cost = std::abs(value - guesses[k]);
      costs_w_[k] = (costs_w_[k] >> 1) + cost;
      costs_[x][k] = cost;
    }
  }

  // A number in 1..65535: its length less 1 in unary, then the bits after the first.
  template <class Coder>
  int magnitude(Coder& coder, int busy, int value) {
    const int length = std::bit_width(unsigned(value)) - 1;
    int n = 0;
    while (n < 15 && coder.bit(longer_[busy][n], length > n)) ++n;
    int result = 1;
    for (int i = n; i-- > 0;) {
      BitModel& model = n - i <= 3 ? high_[n][result] : low_[n][i];
      result = 2 * result + coder.bit(model, (value >> i) & 1);
    }
    return result;
  }

  int top_;
  bool selects_;
  int error_w_ = 0;
  Costs costs_w_{};
  std::vector<int> errors_;   // from column x on: of the row above; before: of this row
  std::vector<Costs> costs_;  // likewise
  BitModel zero_[kClasses][3];
  BitModel negative_[16][9];
  BitModel longer_[kClasses][15];
  BitModel high_[16][8];
  BitModel low_[16][16];
};

}  // namespace wyner::planes
