// Layers on fields (docs/spec/lossless.md, section 4), rows on several threads.
#pragma once

#include <initializer_list>
#include <vector>

#include "base/thread_pool.h"
#include "lossless/field.h"
#include "lossless/model.h"

namespace wyner::lossless {

// Sums of a layer at a segment: begun with its bias, or added to.
class Sums {
 public:
  explicit Sums(const Layer& layer, int level = 0) { begin(layer, level); }
  void begin(const Layer& layer, int level = 0);
  // inputs: where the segment begins in each pair.
  void add(const Layer& layer, const int16_t* const* inputs, int64_t row_stride);

  const int32_t* data() const { return sums_; }
  const int32_t* of(int output) const { return sums_ + output * kSegment; }

 private:
  alignas(64) int32_t sums_[4 * kMaxWidth * kSegment];
};

// Pointers to a segment of every pair of fields of one size, one after another.
class Segment {
 public:
  static constexpr int kMostPairs = 2 * kMaxWidth;
  Segment() = default;
  Segment(std::initializer_list<const Field*> fields, int y, int x) {
    for (const Field* field : fields) add(*field, y, x);
  }
  void add(const Field& field, int y, int x) {
    for (int p = 0; p < field.pairs(); ++p) pairs_[count_++] = field.at(p, y, x);
  }
  void add(const int16_t* pair) { pairs_[count_++] = pair; }
  const int16_t* const* data() const { return pairs_; }

 private:
  const int16_t* pairs_[kMostPairs];
  int count_ = 0;
};

// The same to write to.
class Target {
 public:
  Target(Field& field, int y, int x) {
    for (int p = 0; p < field.pairs(); ++p) pairs_[p] = field.at(p, y, x);
  }
  int16_t* const* data() const { return pairs_; }

 private:
  int16_t* pairs_[2 * kMaxWidth];
};

// Calls work(y) for every row, on the pool's threads.
template <class Work>
void for_rows(ThreadPool& pool, int rows, Work work) {
  constexpr int kRows = 4;  // at a time
  pool.run((rows + kRows - 1) / kRows, [&](int task, int) {
    for (int y = task * kRows; y < rows && y < (task + 1) * kRows; ++y) work(y);
  });
}

Field double_conv(const DoubleConv& block, std::initializer_list<const Field*> sources, ThreadPool& pool);
Field max_pool(const Field& in, ThreadPool& pool);
Field spread(const Layer& layer, const Field& in, ThreadPool& pool);
Field attention(const Layer& to_qkv, const Layer& out, const Field& in, ThreadPool& pool);

}  // namespace wyner::lossless
