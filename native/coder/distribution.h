// Distributions of integers in low..high, with integer parameters (docs/spec/coder.md, sections 2 and 3).
//
// Decoders may use these classes in their inner loops, beside other symbols of the same range coder:
//
//   const MixtureCdf cdf(weight, location, scale, 5, {0, 255});
//   encode_symbol(encoder, cdf, value);    or    value = decode_symbol(decoder, cdf);
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>

#include "coder/range_coder.h"

namespace wyner {

#include "coder/distribution_tables.inc"

constexpr int kFineBits = 24;
constexpr int kLocationBits = 8;              // of a location's fraction
constexpr int32_t kMaxLocation = 1 << 25;     // in 1/256 of a step, either sign
constexpr int32_t kMaxEdge = 1 << 16;         // -kMaxEdge <= low <= high < kMaxEdge
constexpr int32_t kMaxSymbols = 1 << 16;      // high - low + 1
constexpr int kMaxComponents = 5;             // of a mixture
constexpr uint32_t kWeightSum = 1 << 16;

enum class Kind : uint8_t { logistic, laplace, gaussian };

constexpr const uint32_t* tail_of(Kind kind) {
  return kind == Kind::logistic ? kLogisticTail : kind == Kind::laplace ? kLaplaceTail : kGaussianTail;
}

// The symbols that a distribution can give, both ends included.
struct Alphabet {
  int32_t low, high;
  uint32_t size() const { return uint32_t(high - low) + 1; }
};

// A piece of a cumulative distribution: the symbol's probability is high - low.
struct Interval {
  int32_t symbol;
  uint32_t low, high;
};

// Probability, out of 2^32, of lying below x, which is counted from the location, in 1/256 of a step.
inline uint64_t cumulative(const uint32_t* tail, uint32_t inverse_scale, int64_t x) {
  constexpr uint64_t kEnd = (uint64_t{1024} << 28) - 1;  // the tables end at 16 scales
  const uint64_t t = std::min(uint64_t(std::abs(x)) * inverse_scale, kEnd);
  const uint32_t* cell = tail + (t >> 28);
  const uint64_t beyond = cell[0] - (uint64_t{cell[0] - cell[1]} * ((t >> 12) & 0xffff) >> 16);
  // beyond if x < 0, else 2^32 - beyond, without a branch: signs are hard to predict.
  const int64_t above = ~(x >> 63);  // all ones if x >= 0, else 0
  return uint64_t((above & (int64_t{1} << 32)) + (int64_t(beyond) ^ above) - above);
}

// Where the symbol k begins, k - 1/2, in 1/256 of a step.
inline int64_t lower_side(int32_t k) { return int64_t{k} * 256 - 128; }

inline int32_t nearest_symbol(int64_t location, Alphabet alphabet) {
  return int32_t(std::clamp<int64_t>((location + 128) >> kLocationBits, alphabet.low, alphabet.high));
}

// Turns probabilities out of 2^32 into edges out of 2^24 that leave every symbol at least 1.
inline uint32_t with_floor(uint64_t probability, int32_t k, Alphabet alphabet) {
  return uint32_t(k - alphabet.low) +
         uint32_t((probability * ((uint64_t{1} << kFineBits) - alphabet.size())) >> 32);
}

// The interval that holds the point: outwards from a guess in steps that double, then by bisection. The guess
// and the first step, >= 1, change the time that this takes and not the result.
template <class Cdf>
Interval find_interval(const Cdf& cdf, RangePoint point, int32_t guess, int32_t step) {
  const Alphabet alphabet = cdf.alphabet();
  int32_t low = guess, high = guess;  // edge(low) <= point < edge(high), once both are known
  uint32_t low_edge = cdf.edge(guess), high_edge = low_edge;
  if (point.below(low_edge)) {
    for (;; step *= 2) {
      low = std::max(alphabet.low, high - step);
      low_edge = cdf.edge(low);
      if (!point.below(low_edge)) break;
      high = low, high_edge = low_edge;
    }
  } else {
    for (;; step *= 2) {
      high = std::min(alphabet.high + 1, low + step);
      high_edge = cdf.edge(high);
      if (point.below(high_edge)) break;
      low = high, low_edge = high_edge;
    }
  }
  while (high - low > 1) {
    const int32_t middle = low + (high - low) / 2;
    const uint32_t edge = cdf.edge(middle);
    if (point.below(edge)) high = middle, high_edge = edge;
    else low = middle, low_edge = edge;
  }
  return {low, low_edge, high_edge};
}

// A step to begin a search with, for a scale index: about one scale.
inline int32_t search_step(uint8_t scale) {
  static constexpr auto kSteps = [] {
    std::array<uint16_t, 256> steps{};
    for (size_t i = 0; i < steps.size(); ++i)
      steps[i] = uint16_t(std::max(uint32_t{1}, (uint32_t{1} << 26) / kInvScale[i]));
    return steps;
  }();
  return kSteps[scale];
}

// One logistic, Laplace or Gaussian distribution.
class ParametricCdf {
 public:
  static constexpr int kBits = kFineBits;

  ParametricCdf(Kind kind, int32_t location, uint8_t scale, Alphabet alphabet)
      : tail_(tail_of(kind)), location_(location), scale_(scale), alphabet_(alphabet) {}

  Alphabet alphabet() const { return alphabet_; }

  // For low <= k <= high + 1.
  uint32_t edge(int32_t k) const {
    if (k <= alphabet_.low) return 0;
    if (k > alphabet_.high) return uint32_t{1} << kBits;
    return with_floor(cumulative(tail_, kInvScale[scale_], lower_side(k) - location_), k, alphabet_);
  }

  Interval find(RangePoint point) const {
    return find_interval(*this, point, nearest_symbol(location_, alphabet_), search_step(scale_));
  }

 private:
  const uint32_t* tail_;
  int32_t location_;
  uint8_t scale_;
  Alphabet alphabet_;
};

// A mixture of 1..5 logistic distributions, whose weights sum to 2^16. Keeps pointers to its parameters.
class MixtureCdf {
 public:
  static constexpr int kBits = kFineBits;

  MixtureCdf(const int32_t* weight, const int32_t* location, const uint8_t* scale, int count,
             Alphabet alphabet)
      : weight_(weight), location_(location), scale_(scale), count_(count), alphabet_(alphabet) {}

  Alphabet alphabet() const { return alphabet_; }

  // For low <= k <= high + 1.
  uint32_t edge(int32_t k) const {
    if (k <= alphabet_.low) return 0;
    if (k > alphabet_.high) return uint32_t{1} << kBits;
    const int64_t x = lower_side(k);
    uint64_t sum = 0;
    for (int i = 0; i < count_; ++i)
      sum += uint64_t(weight_[i]) * cumulative(kLogisticTail, kInvScale[scale_[i]], x - location_[i]);
    return with_floor(sum >> 16, k, alphabet_);
  }

  Interval find(RangePoint point) const {
    int64_t mean = 0, spread = 0;
    for (int i = 0; i < count_; ++i) mean += int64_t{weight_[i]} * location_[i];
    mean >>= 16;
    for (int i = 0; i < count_; ++i) {
      const int64_t away = std::abs(location_[i] - mean) >> kLocationBits;
      spread += weight_[i] * (away + search_step(scale_[i]));
    }
    const int32_t step = std::max(1, int32_t(spread >> 16));
    return find_interval(*this, point, nearest_symbol(mean, alphabet_), step);
  }

 private:
  const int32_t* weight_;
  const int32_t* location_;
  const uint8_t* scale_;
  int count_;
  Alphabet alphabet_;
};

// A row of edges that rises strictly from 0 to 2^16; its symbols are 0, 1, ...
class TableCdf {
 public:
  static constexpr int kBits = kProbBits;

  static constexpr uint32_t kStarts = 257;

  // starts[i], if given, is the symbol that holds the count 256 i (the last one at 2^16), to find symbols fast.
  TableCdf(const uint32_t* edges, int32_t symbols, const uint16_t* starts = nullptr)
      : edges_(edges), starts_(starts), symbols_(symbols) {}

  Alphabet alphabet() const { return {0, symbols_ - 1}; }
  uint32_t edge(int32_t k) const { return edges_[k]; }

  Interval find(RangePoint point) const {
    const uint64_t place = point.code / point.unit;  // one division is less than a product in each step
    int32_t low = 0, left = symbols_;
    if (starts_) {
      low = starts_[place >> 8];
      left = starts_[(place >> 8) + 1] + 1 - low;
    }
    while (left > 1) {
      const int32_t half = left / 2;
      low += place < edges_[low + half] ? 0 : half;
      left -= half;
    }
    return {low, edges_[low], edges_[low + 1]};
  }

 private:
  const uint32_t* edges_;
  const uint16_t* starts_;
  int32_t symbols_;
};

// `symbol` must be in the alphabet.
template <class Cdf>
void encode_symbol(RangeEncoder& coder, const Cdf& cdf, int32_t symbol) {
  coder.interval<Cdf::kBits>(cdf.edge(symbol), cdf.edge(symbol + 1));
}

// Throws Error (corrupt); what it returns is in the alphabet.
template <class Cdf>
int32_t decode_symbol(RangeDecoder& coder, const Cdf& cdf) {
  const RangePoint point = coder.point<Cdf::kBits>();
  const Interval found = cdf.find(point);
  coder.consume(point.unit, found.low, found.high);
  return found.symbol;
}

}  // namespace wyner
