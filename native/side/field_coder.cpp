#include "side/field_coder.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <memory>

#include "coder/bit_coder.h"

namespace wyner::side {

Vector predicted_vector(const Vector* vectors, int columns, int column, int row) {
  const Vector* here = vectors + size_t(row) * columns + column;
  if (row == 0) return column == 0 ? Vector{} : here[-1];
  const Vector n = here[-columns];
  if (column == 0) return n;
  const Vector w = here[-1], nw = here[-columns - 1];
  const auto median = [](int a, int b, int corner) {
    return int16_t(std::clamp(a + b - corner, std::min(a, b), std::max(a, b)));
  };
  return {median(w.x, n.x, nw.x), median(w.y, n.y, nw.y)};
}

namespace {

int sign_of(int e) { return (e > 0) - (e < 0) + 1; }

// The difference of one component to its prediction, under contexts of the differences around it.
class DifferenceModel {
 public:
  // `activity`: of the differences and vectors around. `other`: 1 if the component coded before differs from
  // its prediction.
  template <class Coder>
  int code(Coder& coder, int w, int n, int activity, int other, int value) {
    const int busy = std::min(int(std::bit_width(unsigned(activity))), kClasses - 1);
    if (coder.bit(zero_[busy][other], value == 0)) return 0;
    const int negative = coder.bit(negative_[sign_of(w)][sign_of(n)], value < 0);
    const int size = magnitude(coder, busy, std::abs(value));
    return negative ? -size : size;
  }

 private:
  static constexpr int kClasses = 10;
  static constexpr int kLongest = 13;  // a difference is at most 2 * kMaxVector < 2^13

  // A number of at least 1: its length less 1 in unary, then the bits after the first.
  template <class Coder>
  int magnitude(Coder& coder, int busy, int value) {
    const int length = std::bit_width(unsigned(value)) - 1;
    int n = 0;
    while (n < kLongest - 1 && coder.bit(longer_[busy][n], length > n)) ++n;
    int result = 1;
    for (int i = n; i-- > 0;) {
      BitModel& model = n - i <= 2 ? high_[n][result] : low_[n][i];
      result = 2 * result + coder.bit(model, (value >> i) & 1);
    }
    return result;
  }

  BitModel zero_[kClasses][2];
  BitModel negative_[3][3];
  BitModel longer_[kClasses][kLongest - 1];
  BitModel high_[kLongest][4];
  BitModel low_[kLongest][kLongest];
};

class FieldModel {
 public:
  explicit FieldModel(const Field& field)
      : columns_(field.columns), filled_(field.vectors.size()), errors_(field.vectors.size()) {}

  // Codes block (column, row); decoding, writes it.
  template <class Coder>
  void code(Coder& coder, int column, int row, Vector& vector, uint8_t& valid) {
    const size_t here = size_t(row) * columns_ + column;
    const bool has_w = column > 0, has_n = row > 0, has_ne = has_n && column + 1 < columns_;
    const Vector w = has_w ? errors_[here - 1] : Vector{}, n = has_n ? errors_[here - columns_] : Vector{};
    const Vector ne = has_ne ? errors_[here - columns_ + 1] : Vector{};
    const int around = (has_w ? valid_w_ : 1) + 2 * (has_n ? above_valid(column) : 1) +
                       4 * (has_ne ? above_valid(column + 1) : 1);
    const Vector guess = predicted_vector(filled_.data(), columns_, column, row);

    valid = uint8_t(coder.bit(valid_[around], valid));
    Vector error;
    if (valid) {
      const Vector spread = has_w && has_n ? filled_[here - 1] - filled_[here - columns_] : Vector{};
      const int activity_x = activity(w.x, n.x, ne.x, spread.x),
                activity_y = activity(w.y, n.y, ne.y, spread.y);
      error.x = int16_t(x_.code(coder, w.x, n.x, activity_x, 0, vector.x - guess.x));
      error.y = int16_t(y_.code(coder, w.y, n.y, activity_y, error.x != 0, vector.y - guess.y));
      if (std::abs(guess.x + error.x) > kMaxVector || std::abs(guess.y + error.y) > kMaxVector)
        corrupt("field: vector out of range");
    }
    filled_[here] = {int16_t(guess.x + error.x), int16_t(guess.y + error.y)};
    errors_[here] = error;
    vector = valid ? filled_[here] : Vector{};
    remember(column, valid);
  }

 private:
  static int activity(int w, int n, int ne, int spread) {
    return 2 * std::abs(w) + std::abs(n) + std::abs(ne) + std::abs(spread);
  }

  int above_valid(int column) const { return valid_above_[column]; }

  // Validity by column: of this row up to the present block, of the row above after it.
  void remember(int column, uint8_t valid) {
    valid_above_[column] = valid;
    valid_w_ = valid;
  }

  int columns_;
  std::vector<Vector> filled_;  // invalid blocks hold their prediction
  std::vector<Vector> errors_;  // zeros for invalid blocks
  std::vector<uint8_t> valid_above_ = std::vector<uint8_t>(size_t(columns_), 1);
  uint8_t valid_w_ = 1;
  BitModel valid_[8];
  DifferenceModel x_, y_;
};

template <class Coder>
void code_blocks(Coder& coder, Field& field) {
  const auto model = std::make_unique<FieldModel>(field);
  for (int row = 0; row < field.rows; ++row)
    for (int column = 0; column < field.columns; ++column) {
      const size_t i = field.at(column, row);
      model->code(coder, column, row, field.vectors[i], field.valid[i]);
    }
}

}  // namespace

std::vector<uint8_t> encode_field(const Field& field) {
  Field coded = field;
  for (size_t i = 0; i < coded.vectors.size(); ++i) {
    const Vector v = coded.vectors[i];
    if (coded.valid[i] > 1) throw Error(ErrorKind::argument, "field: validity is 0 or 1");
    if (coded.valid[i] && (std::abs(v.x) > kMaxVector || std::abs(v.y) > kMaxVector))
      throw Error(ErrorKind::argument, "field: vector out of range");
  }
  BitEncoder coder;
  coder.bits(2, uint32_t(std::countr_zero(unsigned(field.block))) - 3);
  code_blocks(coder, coded);
  return coder.finish();
}

Field decode_field(const uint8_t* data, size_t size, int width, int height) {
  BitDecoder coder(data, size);
  const uint32_t shift = coder.bits(2);
  if (shift > 2) corrupt("field: bad block size");
  Field field(8 << shift, width, height);
  code_blocks(coder, field);
  return field;
}

}  // namespace wyner::side
