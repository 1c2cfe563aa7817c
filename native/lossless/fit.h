// How an encoder finds a picture's tunings: what it gathers of every head, and what it makes of it.
#pragma once

#include <array>
#include <functional>
#include <utility>
#include <vector>

#include "coder/distribution.h"
#include "lossless/tuning.h"

namespace wyner::lossless {

// A coded sample with all that a tuning sees of it.
struct Example {
  std::array<int32_t, kMixture> weight, location;
  std::array<uint8_t, kMixture> scale;
  int32_t base, mean, value;
  std::vector<int32_t> regressors;
};

// Of one head, gathered by one stream. Sums are whole numbers below 2^53, so their order does not matter.
struct Gathered {
  std::vector<double> products;  // (taps + 1) squared, lower triangle: of regressors, the mean and the target
  std::vector<Example> examples;
  size_t count = 0;              // of samples, seen or not
};

class Fitter {
 public:
  static constexpr bool kFits = true;

  // depth: bits of a sample above 8.
  Fitter(int streams, int depth, std::function<void(size_t)> report)
      : streams_(streams), depth_(depth), report_(std::move(report)), gathered_(size_t(streams)) {}

  int streams() const { return streams_; }
  const Tuning* tuning(int, int, int) const { return nullptr; }
  void finished(size_t pixels) { report_(pixels); }
  template <class Cdf>
  int32_t code(int, const Cdf&, int32_t value) const { return value; }

  // Whether rows of a head are looked at; the others are only counted.
  bool looks(const Level& level, int phase, int y) const;
  // The samples of a segment that the head codes.
  void observe(int stream, int number, int phase, int head, const Regressors& regressors, const Known& known,
               const Mixtures& mixtures, const int32_t* samples, const bool* coded, int columns, bool looked);

  Tunings solve(const std::array<Alphabet, kColours>& ranges) const;

 private:
  Tuning solve(int number, int phase, int head, Alphabet range) const;

  using Heads = std::array<std::array<std::array<Gathered, kHeads>, kPhases>, kTunedLevels>;

  int streams_, depth_;
  std::function<void(size_t)> report_;
  std::vector<Heads> gathered_;
};

}  // namespace wyner::lossless
