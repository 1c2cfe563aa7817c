#include "side/refine.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace wyner::side {
namespace {

// Share of the bits that a perfect use of the prediction would save which the codec does save.
const float kUse = std::getenv("USE") ? std::atof(std::getenv("USE")) : 0.6f;
constexpr float kValiditySame = 0.2f, kValidityChanges = 3.0f;  // bits

Vector difference(Vector a, Vector b) { return {int16_t(a.x - b.x), int16_t(a.y - b.y)}; }

Vector clamped(int x, int y) {
  return {int16_t(std::clamp(x, -kMaxVector, kMaxVector)), int16_t(std::clamp(y, -kMaxVector, kMaxVector))};
}

// A few vectors without repetition.
class Candidates {
 public:
  void add(Vector v) {
    if (std::find(vectors_.begin(), vectors_.end(), v) == vectors_.end()) vectors_.push_back(v);
  }
  auto begin() const { return vectors_.begin(); }
  auto end() const { return vectors_.end(); }

 private:
  std::vector<Vector> vectors_;
};

}  // namespace

void VectorBits::learn(const std::vector<Vector>& vectors, int columns) {
  const int rows = int(vectors.size()) / columns;
  int zero_x = 0, zero_y = 0;
  for (int row = 0; row < rows; ++row)
    for (int column = 0; column < columns; ++column) {
      const Vector error = difference(vectors[size_t(row) * columns + column],
                                      predicted_vector(vectors.data(), columns, column, row));
      zero_x += error.x == 0;
      zero_y += error.y == 0;
    }
  const auto bits = [&](int count) { return -std::log2((float(count) + 1) / (float(vectors.size()) + 2)); };
  zero_x_ = bits(zero_x);
  zero_y_ = bits(zero_y);
  nonzero_x_ = bits(int(vectors.size()) - zero_x);
  nonzero_y_ = bits(int(vectors.size()) - zero_y);
}

float VectorBits::component(float zero, float nonzero, int error) {
  if (error == 0) return zero;
  return nonzero + 1.5f + 1.8f * std::log2(float(std::abs(error)));
}

Refiner::Refiner(const Plane& x, const Plane& y, Field& field, float noise)
    : x_(x), y_(y), field_(field), noise_(noise), data_(field.vectors.size()) {}

Block Refiner::block(int column, int row) const {
  const int s = field_.block, left = column * s, top = row * s;
  return {left, top, std::min(s, x_.width - left), std::min(s, x_.height - top)};
}

float Refiner::bits_for(float mean_square, const Block& b) const {
  return kUse * 0.5f * float(b.width * b.height) * std::log2(1 + mean_square / noise_);
}

float Refiner::data_bits(int column, int row, Vector v) const {
  const Block b = block(column, row);
  return bits_for(mean_square_error(x_, y_, b, v), b);
}

float Refiner::own_vector_bits(int column, int row, Vector v) const {
  return bits_.of(difference(v, predicted_vector(field_.vectors.data(), field_.columns, column, row)));
}

float Refiner::vector_bits_around(int column, int row, Vector v) {
  Vector& here = vector(column, row);
  const Vector before = here;
  here = v;
  float bits = 0;
  for (int r = row; r <= std::min(row + 1, field_.rows - 1); ++r)
    for (int c = column; c <= std::min(column + 1, field_.columns - 1); ++c)
      bits += own_vector_bits(c, r, vector(c, r));
  here = before;
  return bits;
}

void Refiner::start(const CoarseField& coarse) {
  for (int row = 0; row < field_.rows; ++row)
    for (int column = 0; column < field_.columns; ++column) {
      const Block b = block(column, row);
      Candidates candidates;
      candidates.add({});
      if (column > 0) candidates.add(vector(column - 1, row));
      if (row > 0) candidates.add(vector(column, row - 1));
      if (row > 0 && column + 1 < field_.columns) candidates.add(vector(column + 1, row - 1));
      const int cc = (b.left + b.width / 2) / coarse.size, cr = (b.top + b.height / 2) / coarse.size;
      for (int r = std::max(cr - 1, 0); r <= std::min(cr + 1, coarse.rows - 1); ++r)
        for (int c = std::max(cc - 1, 0); c <= std::min(cc + 1, coarse.columns - 1); ++c)
          for (const Shift& shift : coarse.at(c, r)) {
            candidates.add(clamped(4 * shift.x, 4 * shift.y));
            if (c != cc || r != cr) break;  // of cells around, the best only
          }
      float best = INFINITY;
      for (const Vector v : candidates) {
        const float data = data_bits(column, row, v), bits = data + own_vector_bits(column, row, v);
        if (bits >= best) continue;
        best = bits;
        vector(column, row) = v;
        data_[field_.at(column, row)] = data;
      }
      descend(column, row, std::max(4, 2 * coarse.step));
    }
  bits_.learn(field_.vectors, field_.columns);
}

void Refiner::descend(int column, int row, int first_step) {
  const size_t i = field_.at(column, row);
  float best = data_[i] + own_vector_bits(column, row, field_.vectors[i]);
  for (int step = first_step; step >= 1; step /= 2)
    for (bool moved = true; moved;) {
      moved = false;
      const Vector centre = field_.vectors[i];
      for (const auto [dx, dy] : {std::pair{-1, 0}, {1, 0}, {0, -1}, {0, 1}}) {
        const Vector v = clamped(centre.x + dx * step, centre.y + dy * step);
        const float data = data_bits(column, row, v), bits = data + own_vector_bits(column, row, v);
        if (bits >= best) continue;
        best = bits;
        field_.vectors[i] = v;
        data_[i] = data;
        moved = true;
      }
    }
}

void Refiner::sweep_block(int column, int row) {
  const size_t i = field_.at(column, row);
  const Vector own = field_.vectors[i];
  Candidates candidates;
  candidates.add(own);
  candidates.add(predicted_vector(field_.vectors.data(), field_.columns, column, row));
  for (const auto [dx, dy] : {std::pair{-1, 0}, {1, 0}, {0, -1}, {0, 1}}) {
    const int c = column + dx, r = row + dy;
    if (c >= 0 && c < field_.columns && r >= 0 && r < field_.rows) candidates.add(vector(c, r));
    candidates.add(clamped(own.x + dx, own.y + dy));
  }
  candidates.add({});
  float best = data_[i] + vector_bits_around(column, row, own);
  Vector choice = own;
  for (const Vector v : candidates) {
    if (v == own) continue;
    const float bits = vector_bits_around(column, row, v);
    if (bits >= best) continue;  // whatever the prediction
    const float data = data_bits(column, row, v);
    if (bits + data >= best) continue;
    best = bits + data;
    choice = v;
    data_[i] = data;
  }
  field_.vectors[i] = choice;
}

void Refiner::sweep(bool backwards) {
  const int count = int(field_.vectors.size());
  for (int k = 0; k < count; ++k) {
    const int i = backwards ? count - 1 - k : k;
    const int column = i % field_.columns, row = i / field_.columns;
    if (field_.valid[i]) sweep_block(column, row);
    else if (!backwards) field_.vectors[i] = predicted_vector(field_.vectors.data(), field_.columns, column, row);
  }
  bits_.learn(field_.vectors, field_.columns);
}

void Refiner::decide_validity() {
  for (int row = 0; row < field_.rows; ++row)
    for (int column = 0; column < field_.columns; ++column) {
      const size_t i = field_.at(column, row);
      const Block b = block(column, row);
      const bool west = column == 0 || field_.valid[i - 1], north = row == 0 || field_.valid[i - field_.columns];
      const float with = data_[i] + own_vector_bits(column, row, field_.vectors[i]) +
                         (west && north ? kValiditySame : kValidityChanges);
      const float without = bits_for(own_variance(x_, b), b) + (west || north ? kValidityChanges : kValiditySame);
      if (with <= without) continue;
      field_.valid[i] = 0;
      field_.vectors[i] = predicted_vector(field_.vectors.data(), field_.columns, column, row);
    }
}

void Refiner::finish() {
  for (size_t i = 0; i < field_.vectors.size(); ++i)
    if (!field_.valid[i]) field_.vectors[i] = {};
}

}  // namespace wyner::side
