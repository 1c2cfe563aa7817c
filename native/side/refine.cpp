#include "side/refine.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "base/stable_log2.h"

namespace wyner::side {
namespace {

constexpr float kValidityChanges = 1.2f;  // bits for a neighbour of the other kind

Vector clamped(int x, int y) {
  return {int16_t(std::clamp(x, -kMaxVector, kMaxVector)), int16_t(std::clamp(y, -kMaxVector, kMaxVector))};
}

}  // namespace

void VectorBits::learn(const Field& field) {
  int zero_x = 0, zero_y = 0, count = 0;
  for (int row = 0; row < field.rows; ++row)
    for (int column = 0; column < field.columns; ++column) {
      const size_t i = field.at(column, row);
      if (!field.valid[i]) continue;
      const Vector guess = predicted_vector(field.vectors.data(), field.columns, column, row);
      const Vector error = field.vectors[i] - guess;
      zero_x += error.x == 0;
      zero_y += error.y == 0;
      ++count;
    }
  const auto bits = [&](int n) { return -stable_log2((float(n) + 1) / (float(count) + 2)); };
  zero_x_ = bits(zero_x);
  zero_y_ = bits(zero_y);
  nonzero_x_ = bits(count - zero_x);
  nonzero_y_ = bits(count - zero_y);
}

float VectorBits::component(float zero, float nonzero, int error) {
  if (error == 0) return zero;
  return nonzero + 1.5f + 1.8f * stable_log2(float(std::abs(error)));
}

Refiner::Refiner(const Plane& x, const Plane& y, Field& field, Coding coding)
    : x_(x), y_(y), field_(field), coding_(coding), data_(field.vectors.size()) {
  for (int row = 0; row < field_.rows; ++row)
    for (int column = 0; column < field_.columns; ++column) {
      const Block b = block(column, row);
      without_.push_back(bits_without_prediction(x_, b, coding_));
    }
}

Block Refiner::block(int column, int row) const {
  const int s = field_.block, left = column * s, top = row * s;
  return {left, top, std::min(s, x_.width - left), std::min(s, x_.height - top)};
}

float Refiner::data_bits(int column, int row, Vector v) const {
  const Block b = block(column, row);
  return bits_for(mean_square_error(x_, y_, b, v), b, coding_);
}

Vector Refiner::guess(int column, int row) const {
  return predicted_vector(field_.vectors.data(), field_.columns, column, row);
}

float Refiner::own_vector_bits(int column, int row) const {
  const size_t i = field_.at(column, row);
  if (!field_.valid[i]) return 0;
  return bits_.of(field_.vectors[i] - guess(column, row));
}

float Refiner::validity_bits(int column, int row) const {
  const size_t i = field_.at(column, row);
  int others = 0;
  if (column > 0) others += field_.valid[i - 1] != field_.valid[i];
  if (column + 1 < field_.columns) others += field_.valid[i + 1] != field_.valid[i];
  if (row > 0) others += field_.valid[i - field_.columns] != field_.valid[i];
  if (row + 1 < field_.rows) others += field_.valid[i + field_.columns] != field_.valid[i];
  return kValidityChanges * float(others);
}

float Refiner::field_bits_around(int column, int row, Vector v, bool valid) {
  const size_t i = field_.at(column, row);
  const Vector vector_before = field_.vectors[i];
  const uint8_t valid_before = field_.valid[i];
  field_.vectors[i] = v;
  field_.valid[i] = valid;
  float bits = validity_bits(column, row);
  for (int r = row; r <= std::min(row + 1, field_.rows - 1); ++r)
    for (int c = column; c <= std::min(column + 1, field_.columns - 1); ++c) bits += own_vector_bits(c, r);
  field_.vectors[i] = vector_before;
  field_.valid[i] = valid_before;
  return bits;
}

Candidates Refiner::first_candidates(int column, int row, const CoarseField& coarse) const {
  Candidates candidates;
  candidates.add({});
  if (column > 0) candidates.add(vector(column - 1, row));
  if (row > 0) candidates.add(vector(column, row - 1));
  if (row > 0 && column + 1 < field_.columns) candidates.add(vector(column + 1, row - 1));
  const Block b = block(column, row);
  const int cc = (b.left + b.width / 2) / coarse.size, cr = (b.top + b.height / 2) / coarse.size;
  for (int r = std::max(cr - 1, 0); r <= std::min(cr + 1, coarse.rows - 1); ++r)
    for (int c = std::max(cc - 1, 0); c <= std::min(cc + 1, coarse.columns - 1); ++c)
      for (const Shift& shift : coarse.at(c, r)) {
        candidates.add(clamped(4 * shift.x, 4 * shift.y));
        if (c != cc || r != cr) break;  // of cells around, the best only
      }
  return candidates;
}

void Refiner::start(const CoarseField& coarse) {
  for (int row = 0; row < field_.rows; ++row)
    for (int column = 0; column < field_.columns; ++column) {
      const Vector predicted = guess(column, row);
      float best = INFINITY;
      for (const Vector v : first_candidates(column, row, coarse)) {
        const float data = data_bits(column, row, v), bits = data + bits_.of(v - predicted);
        if (bits >= best) continue;
        best = bits;
        field_.vectors[field_.at(column, row)] = v;
        data_[field_.at(column, row)] = data;
      }
      descend(column, row, std::max(4, 2 * coarse.step));
    }
  bits_.learn(field_);
}

void Refiner::descend(int column, int row, int first_step) {
  const size_t i = field_.at(column, row);
  const Vector predicted = guess(column, row);
  float best = data_[i] + bits_.of(field_.vectors[i] - predicted);
  for (int step = first_step; step >= 1; step /= 2)
    for (bool moved = true; moved;) {
      moved = false;
      const Vector centre = field_.vectors[i];
      for (const auto [dx, dy] : {std::pair{-1, 0}, {1, 0}, {0, -1}, {0, 1}}) {
        const Vector v = clamped(centre.x + dx * step, centre.y + dy * step);
        const float data = data_bits(column, row, v), bits = data + bits_.of(v - predicted);
        if (bits >= best) continue;
        best = bits;
        field_.vectors[i] = v;
        data_[i] = data;
        moved = true;
      }
    }
}

Candidates Refiner::around(int column, int row, Vector own) const {
  Candidates candidates;
  candidates.add(own);
  candidates.add(guess(column, row));
  for (const auto [dx, dy] : {std::pair{-1, 0}, {1, 0}, {0, -1}, {0, 1}}) {
    const int c = column + dx, r = row + dy;
    if (c >= 0 && c < field_.columns && r >= 0 && r < field_.rows) candidates.add(vector(c, r));
    candidates.add(clamped(own.x + dx, own.y + dy));
  }
  candidates.add({});
  return candidates;
}

void Refiner::sweep_block(int column, int row) {
  const size_t i = field_.at(column, row);
  const Vector predicted = guess(column, row);
  const Vector own = field_.valid[i] ? field_.vectors[i] : predicted;
  const Candidates candidates = around(column, row, own);
  float best = without_[i] + field_bits_around(column, row, predicted, false), best_data = without_[i];
  bool valid = false;
  Vector choice = predicted;
  for (const Vector v : candidates) {
    const float bits = field_bits_around(column, row, v, true);
    if (bits >= best) continue;  // whatever the prediction
    const float data = field_.valid[i] && v == own ? data_[i] : data_bits(column, row, v);
    if (bits + data >= best) continue;
    best = bits + data;
    best_data = data;
    valid = true;
    choice = v;
  }
  field_.vectors[i] = choice;
  field_.valid[i] = valid;
  data_[i] = best_data;
}

void Refiner::sweep(bool backwards) {
  const int count = int(field_.vectors.size());
  for (int k = 0; k < count; ++k) {
    const int i = backwards ? count - 1 - k : k;
    sweep_block(i % field_.columns, i / field_.columns);
  }
  bits_.learn(field_);
}

void Refiner::sweep_block_blended(int column, int row, Overlap& overlap) {
  const size_t i = field_.at(column, row);
  const Vector own = field_.vectors[i];
  const Block region = overlap.region(column, row);
  const auto data = [&](Vector v) {
    return bits_for(overlap.mean_square_error(column, row, v), region, coding_);
  };
  float best = field_bits_around(column, row, own, true) + data(own);
  Vector choice = own;
  for (const Vector v : around(column, row, own)) {
    if (v == own) continue;
    const float bits = field_bits_around(column, row, v, true);
    if (bits >= best) continue;
    const float total = bits + data(v);
    if (total >= best) continue;
    best = total;
    choice = v;
  }
  if (choice == own) return;
  overlap.change(column, row, choice);
  field_.vectors[i] = choice;
}

void Refiner::sweep_blended(bool backwards) {
  Overlap overlap(x_, y_, field_);
  const int count = int(field_.vectors.size());
  for (int k = 0; k < count; ++k) {
    const int i = backwards ? count - 1 - k : k;
    if (field_.valid[i]) sweep_block_blended(i % field_.columns, i / field_.columns, overlap);
  }
  bits_.learn(field_);
}

void Refiner::finish() {
  for (size_t i = 0; i < field_.vectors.size(); ++i)
    if (!field_.valid[i]) field_.vectors[i] = {};
}

}  // namespace wyner::side
