// Arrays of symbols, each with a distribution of its own, in one or more streams (docs/spec/coder.md).
//
// A model has: count, how many symbols; check(), which throws Error (argument) if a parameter is out of
// range; at(i), the distribution of symbol i, which may be asked for only after check().
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/error.h"
#include "coder/distribution.h"
#include "coder/streams.h"

namespace wyner {

inline void require(bool holds, const char* message) {
  if (!holds) throw Error(ErrorKind::argument, message);
}

inline void check_alphabet(Alphabet a) {
  require(-kMaxEdge <= a.low && a.low <= a.high && a.high < kMaxEdge, "low..high must lie in -65536..65535");
  require(a.high - a.low < kMaxSymbols, "low..high must be at most 65536 values");
}

inline void check_location(int32_t location) {
  require(-kMaxLocation <= location && location <= kMaxLocation, "a location must be in -2^25..2^25");
}

// Rows (row_count, symbols + 1), of which symbol i uses row index[i].
struct TableModel {
  const uint32_t* rows;
  size_t row_count;
  int32_t symbols;
  const int32_t* index;
  size_t count;

  const uint32_t* row(size_t i) const { return rows + i * (size_t(symbols) + 1); }

  void check() const {
    require(symbols >= 1 && symbols <= 65536, "a table must have 1..65536 symbols");
    for (size_t r = 0; r < row_count; ++r) {
      const uint32_t* edges = row(r);
      require(edges[0] == 0 && edges[symbols] == 65536, "a table must begin with 0 and end with 65536");
      for (int32_t k = 0; k < symbols; ++k) require(edges[k] < edges[k + 1], "a table must rise strictly");
    }
    for (size_t i = 0; i < count; ++i)
      require(index[i] >= 0 && size_t(index[i]) < row_count, "an index names no table");
  }

  TableCdf at(size_t i) const { return {row(size_t(index[i])), symbols}; }
};

struct ParametricModel {
  Kind kind;
  const int32_t* location;
  const uint8_t* scale;
  Alphabet alphabet;
  size_t count;

  void check() const {
    check_alphabet(alphabet);
    for (size_t i = 0; i < count; ++i) check_location(location[i]);
  }

  ParametricCdf at(size_t i) const { return {kind, location[i], scale[i], alphabet}; }
};

// Three arrays (count, components).
struct MixtureModel {
  const int32_t* weight;
  const int32_t* location;
  const uint8_t* scale;
  int components;
  Alphabet alphabet;
  size_t count;

  void check() const {
    check_alphabet(alphabet);
    require(components >= 1 && components <= kMaxComponents, "a mixture must have 1..5 components");
    for (size_t i = 0; i < count; ++i) {
      int64_t sum = 0;
      for (size_t j = i * components; j < (i + 1) * components; ++j) {
        require(weight[j] >= 0, "a weight must not be negative");
        check_location(location[j]);
        sum += weight[j];
      }
      require(sum == kWeightSum, "the weights of a mixture must sum to 65536");
    }
  }

  MixtureCdf at(size_t i) const {
    const size_t j = i * components;
    return {weight + j, location + j, scale + j, components, alphabet};
  }
};

template <class Cdf>
void check_symbol(const Cdf& cdf, int32_t symbol) {
  require(cdf.alphabet().low <= symbol && symbol <= cdf.alphabet().high, "a symbol is outside its model");
}

template <class Model>
std::vector<uint8_t> encode_array(const Model& model, const int32_t* symbols, int streams, int threads) {
  model.check();
  return encode_streams(model.count, streams, threads, [&](size_t begin, size_t end) {
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
  model.check();
  decode_streams(data, size, model.count, threads,
                 [&](const uint8_t* part, size_t part_size, size_t begin, size_t end) {
                   RangeDecoder coder(part, part_size);
                   for (size_t i = begin; i < end; ++i) symbols[i] = decode_symbol(coder, model.at(i));
                 });
}

// The ideal code length of the symbols, in bits.
template <class Model>
double array_bits(const Model& model, const int32_t* symbols) {
  model.check();
  double bits = 0;
  for (size_t i = 0; i < model.count; ++i) {
    const auto cdf = model.at(i);
    check_symbol(cdf, symbols[i]);
    bits += cdf.kBits - std::log2(double(cdf.edge(symbols[i] + 1) - cdf.edge(symbols[i])));
  }
  return bits;
}

}  // namespace wyner
