// Arrays of symbols, each with a distribution of its own, in one or more streams (docs/spec/coder.md).
//
// A model has: count(), how many symbols, and at(i), the distribution of symbol i. It keeps pointers to its
// parameters; its constructor throws Error (argument) if one is out of range.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/error.h"
#include "coder/distribution.h"
#include "coder/streams.h"

namespace wyner {

inline void check_alphabet(Alphabet a) {
  require(-kMaxEdge <= a.low && a.low <= a.high && a.high < kMaxEdge, "low..high must lie in -65536..65535");
  require(a.high - a.low < kMaxSymbols, "low..high must be at most 65536 values");
}

inline void check_location(int32_t location) {
  require(-kMaxLocation <= location && location <= kMaxLocation, "a location must be in -2^25..2^25");
}

// `rows` (row_count, symbols + 1), of which symbol i uses row index[i].
class TableModel {
 public:
  TableModel(const uint32_t* rows, size_t row_count, size_t symbols, const int32_t* index, size_t count)
      : rows_(rows), row_count_(row_count), symbols_(int32_t(symbols)), index_(index), count_(count) {
    require(symbols >= 1 && symbols <= kMaxSymbols, "a table must have 1..65536 symbols");
    for (size_t r = 0; r < row_count; ++r) check_row(row(r));
    for (size_t i = 0; i < count; ++i)
      require(index[i] >= 0 && size_t(index[i]) < row_count, "an index names no table");
    if (row_count * TableCdf::kStarts < count) find_starts();  // fewer, and a search takes less than they do
  }

  size_t count() const { return count_; }

  TableCdf at(size_t i) const {
    const size_t r = size_t(index_[i]);
    return {row(r), symbols_, starts_.empty() ? nullptr : &starts_[r * TableCdf::kStarts]};
  }

 private:
  const uint32_t* row(size_t r) const { return rows_ + r * (size_t(symbols_) + 1); }

  void check_row(const uint32_t* edges) const {
    require(edges[0] == 0 && edges[symbols_] == 65536, "a table must begin with 0 and end with 65536");
    for (int32_t k = 0; k < symbols_; ++k) require(edges[k] < edges[k + 1], "a table must rise strictly");
  }

  void find_starts() {
    starts_.reserve(row_count_ * TableCdf::kStarts);
    for (size_t r = 0; r < row_count_; ++r) {
      int32_t k = 0;
      for (uint32_t i = 0; i < TableCdf::kStarts; ++i) {
        while (k + 1 < symbols_ && row(r)[k + 1] <= i * 256) ++k;
        starts_.push_back(uint16_t(k));
      }
    }
  }

  const uint32_t* rows_;
  size_t row_count_;
  int32_t symbols_;
  const int32_t* index_;
  size_t count_;
  std::vector<uint16_t> starts_;
};

class ParametricModel {
 public:
  ParametricModel(Kind kind, const int32_t* location, const uint8_t* scale, size_t count, Alphabet alphabet)
      : kind_(kind), location_(location), scale_(scale), count_(count), alphabet_(alphabet) {
    check_alphabet(alphabet);
    for (size_t i = 0; i < count; ++i) check_location(location[i]);
  }

  size_t count() const { return count_; }
  ParametricCdf at(size_t i) const { return {kind_, location_[i], scale_[i], alphabet_}; }

 private:
  Kind kind_;
  const int32_t* location_;
  const uint8_t* scale_;
  size_t count_;
  Alphabet alphabet_;
};

// Three arrays (count, components).
class MixtureModel {
 public:
  MixtureModel(const int32_t* weight, const int32_t* location, const uint8_t* scale, size_t count,
               size_t components, Alphabet alphabet)
      : weight_(weight), location_(location), scale_(scale), count_(count), components_(components),
        alphabet_(alphabet) {
    check_alphabet(alphabet);
    require(components >= 1 && components <= kMaxComponents, "a mixture must have 1..5 components");
    for (size_t i = 0; i < count; ++i) check_components(i * components);
  }

  size_t count() const { return count_; }

  MixtureCdf at(size_t i) const {
    const size_t j = i * components_;
    return {weight_ + j, location_ + j, scale_ + j, int(components_), alphabet_};
  }

 private:
  void check_components(size_t first) const {
    int64_t sum = 0;
    for (size_t j = first; j < first + components_; ++j) {
      require(weight_[j] >= 0, "a weight must not be negative");
      check_location(location_[j]);
      sum += weight_[j];
    }
    require(sum == kWeightSum, "the weights of a mixture must sum to 65536");
  }

  const int32_t* weight_;
  const int32_t* location_;
  const uint8_t* scale_;
  size_t count_, components_;
  Alphabet alphabet_;
};

template <class Cdf>
void check_symbol(const Cdf& cdf, int32_t symbol) {
  require(cdf.alphabet().low <= symbol && symbol <= cdf.alphabet().high, "a symbol is outside its model");
}

template <class Model>
std::vector<uint8_t> encode_array(const Model& model, const int32_t* symbols, int streams, int threads) {
  return encode_streams(model.count(), streams, threads, [&](size_t begin, size_t end) {
    RangeEncoder coder;
    for (size_t i = begin; i < end; ++i) {
      const auto cdf = model.at(i);
      check_symbol(cdf, symbols[i]);
      encode_symbol(coder, cdf, symbols[i]);
    }
    return coder.finish();
  });
}

template <class Model>
void decode_array(const Model& model, const uint8_t* data, size_t size, int threads, int32_t* symbols) {
  decode_streams(data, size, model.count(), threads,
                 [&](const uint8_t* part, size_t part_size, size_t begin, size_t end) {
                   RangeDecoder coder(part, part_size);
                   for (size_t i = begin; i < end; ++i) symbols[i] = decode_symbol(coder, model.at(i));
                 });
}

// The ideal code length of the symbols, in bits.
template <class Model>
double array_bits(const Model& model, const int32_t* symbols) {
  double bits = 0;
  for (size_t i = 0; i < model.count(); ++i) {
    const auto cdf = model.at(i);
    check_symbol(cdf, symbols[i]);
    bits += cdf.kBits - std::log2(double(cdf.edge(symbols[i] + 1) - cdf.edge(symbols[i])));
  }
  return bits;
}

}  // namespace wyner
