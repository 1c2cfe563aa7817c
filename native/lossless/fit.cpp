#include "lossless/fit.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "base/stable_log2.h"
#include "coder/distribution.h"

namespace wyner::lossless {
namespace {

constexpr int kLookedAt = 1 << 15;  // samples of a phase, about
constexpr size_t kExamples = 2048;  // of a head, over all streams
constexpr int kUnitBits = 2;        // sums are of 1/16 steps: quarters times 4
constexpr double kRidge = 1e-4;
constexpr double kLeastGain = 64;   // bits, beyond what the taps cost

// A sample counts as much as its distribution is narrow: 1 to 256, 256 for b up to 2.
int importance(int scale) {
  constexpr int kWidest = 88;  // b = 2
  return scale <= kWidest ? 256 : std::max(1, 256 >> std::min(8, (scale - kWidest) / 8));
}

int middle_scale(const Mixtures& mixtures, int i) {
  int best = 0;
  for (int k = 1; k < kMixture; ++k)
    if (mixtures.weight[i][k] > mixtures.weight[i][best]) best = k;
  return mixtures.scale[i][best];
}

// Solves the symmetric system of the first n rows; column n holds the right side. False if it is not definite.
bool solve_system(std::vector<double>& a, size_t n, std::vector<double>& x) {
  const size_t stride = n + 1;
  for (size_t i = 0; i < n; ++i) a[i * stride + i] += kRidge * a[i * stride + i] + 1;
  for (size_t j = 0; j < n; ++j)
    for (size_t i = j; i <= n; ++i) {  // row n becomes the solution of the lower half
      if (i == n && j == n) break;
      double sum = a[i * stride + j];
      for (size_t k = 0; k < j; ++k) sum -= a[i * stride + k] * a[j * stride + k];
      if (i == j) {
        if (!(sum > 0)) return false;
        a[i * stride + i] = std::sqrt(sum);
      } else {
        a[i * stride + j] = sum / a[j * stride + j];
      }
    }
  x.assign(n, 0);
  for (size_t i = n; i-- > 0;) {
    double sum = a[n * stride + i];
    for (size_t k = i + 1; k < n; ++k) sum -= a[k * stride + i] * x[k];
    x[i] = sum / a[i * stride + i];
  }
  return true;
}

Mixtures mixture_of(const Example& e) {
  Mixtures m;
  for (int k = 0; k < kMixture; ++k)
    m.weight[0][k] = e.weight[size_t(k)], m.location[0][k] = e.location[size_t(k)], m.scale[0][k] = e.scale[size_t(k)];
  return m;
}

double bits_of(const Mixtures& m, int32_t value, Alphabet range) {
  const MixtureCdf cdf(m.weight[0], m.location[0], m.scale[0], kMixture, range);
  return kFineBits - double(stable_log2(float(cdf.edge(value + 1) - cdf.edge(value))));
}

class Judge {
 public:
  Judge(std::vector<const Example*> examples, Alphabet range) : examples_(std::move(examples)), range_(range) {}

  double untuned() const {
    double bits = 0;
    for (const Example* e : examples_) bits += bits_of(mixture_of(*e), e->value, range_);
    return bits;
  }

  void set_taps(const Tuning& tuning) {
    shifts_.clear();
    for (const Example* e : examples_) {
      Regressors r;
      for (size_t t = 0; t < e->regressors.size(); ++t) r.at[t][0] = e->regressors[t];
      shifts_.push_back(shift_of(tuning, r, e->mean, 0));
    }
  }

  double tuned(const Tuning& tuning) const {
    double bits = 0;
    for (size_t n = 0; n < examples_.size(); ++n) {
      const Example& e = *examples_[n];
      Mixtures m = mixture_of(e);
      apply(tuning, e.base, e.mean, shifts_[n], m, 0);
      bits += bits_of(m, e.value, range_);
    }
    return bits;
  }

 private:
  std::vector<const Example*> examples_;
  Alphabet range_;
  std::vector<int64_t> shifts_;
};

// The best width and slope, one after the other, in steps that halve. Returns the bits.
double fit_width(const Judge& judge, Tuning& tuning) {
  double best = judge.tuned(tuning);
  for (int step = 8; step >= 1; step /= 2)
    for (int Tuning::*field : {&Tuning::width, &Tuning::slope}) {
      const int limit = field == &Tuning::width ? kWidthLimit : kSlopeLimit;
      for (bool moved = true; moved;) {
        moved = false;
        for (int by : {-step, step}) {
          Tuning other = tuning;
          other.*field += by;
          if (std::abs(other.*field) > limit) continue;
          const double bits = judge.tuned(other);
          if (bits < best) best = bits, tuning = other, moved = true;
        }
      }
    }
  return best;
}

// The scale index whose b is about the mean of the taps' magnitudes.
int tap_scale_of(const Tuning& tuning) {
  double sum = 0;
  for (int16_t tap : tuning.taps) sum += std::abs(int(tap));
  int scale = 0;
  while (scale < 255 && kInvScale[scale] > double(1 << 26) * double(tuning.taps.size()) / (sum + 1)) ++scale;
  return scale;
}

// Bits of taps coded by a Laplace distribution of their mean, and of what precedes them.
double cost_of(const Tuning& tuning) {
  double sum = 0;
  for (int16_t tap : tuning.taps) sum += std::abs(int(tap));
  const double mean = std::max(0.5, sum / double(tuning.taps.size()));
  return 24 + double(tuning.taps.size()) * double(stable_log2(float(5.4366 * mean)));
}

}  // namespace

bool Fitter::looks(const Level& level, int phase, int y) const {
  const int samples = level.rows(phase) * level.columns(phase);
  return y % std::max(1, samples / kLookedAt) == 0;
}

void Fitter::observe(int stream, int number, int phase, int head, const Regressors& regressors, const Known& known,
                     const Mixtures& mixtures, const int32_t* samples, const bool* coded, int columns, bool looked) {
  Gathered& g = gathered_[size_t(stream)][size_t(number)][size_t(phase)][size_t(head)];
  const size_t taps = size_t(tap_count(phase, head)), stride = taps + 1;
  const int colour = std::max(0, head - 1);
  if (g.products.empty()) g.products.assign(stride * stride, 0);
  thread_local std::vector<std::array<double, kSegment>> rows, weighted;
  rows.resize(stride), weighted.resize(stride);
  int count = 0;
  for (int i = 0; i < columns; ++i) {
    if (!coded[i]) continue;
    ++g.count;
    if (!looked) continue;
    const int32_t base = known.base[colour][i], mean = mean_of(mixtures, i, base);
    const int weight = importance(middle_scale(mixtures, i));
    const auto put = [&](size_t t, int64_t v) {
      rows[t][size_t(count)] = double(v >> depth_);
      weighted[t][size_t(count)] = weight * double(v >> depth_);
    };
    for (size_t t = 0; t + 1 < taps; ++t) put(t, int64_t{regressors.at[t][i]} << kUnitBits);
    put(taps - 1, mean >> (6 - kUnitBits));
    put(taps, int64_t{4 * samples[i] - base} << kUnitBits);
    ++count;
    const size_t every = std::max<size_t>(1, size_t(kLookedAt) / kExamples);
    if (g.count % every == 0 && g.examples.size() < 2 * kExamples / size_t(streams_)) {
      Example e;
      for (int k = 0; k < kMixture; ++k) {
        e.weight[size_t(k)] = mixtures.weight[i][k];
        e.location[size_t(k)] = mixtures.location[i][k];
        e.scale[size_t(k)] = mixtures.scale[i][k];
      }
      e.base = base, e.mean = mean, e.value = samples[i];
      for (size_t t = 0; t + 1 < taps; ++t) e.regressors.push_back(regressors.at[t][i]);
      g.examples.push_back(std::move(e));
    }
  }
  for (size_t a = 0; a < stride; ++a)
    for (size_t b = 0; b <= a; ++b) {
      double sum = 0;
      for (int i = 0; i < count; ++i) sum += weighted[a][size_t(i)] * rows[b][size_t(i)];
      g.products[a * stride + b] += sum;
    }
}

Tunings Fitter::solve(const std::array<Alphabet, kColours>& ranges) const {
  Tunings tunings;
  for (int n = 0; n < kTunedLevels; ++n)
    for (int p = 0; p < kPhases; ++p)
      for (int h = 0; h < kHeads; ++h)
        tunings[size_t(n)][size_t(p)][size_t(h)] = solve(n, p, h, ranges[size_t(std::max(0, h - 1))]);
  return tunings;
}

Tuning Fitter::solve(int number, int phase, int head, Alphabet range) const {
  const size_t taps = size_t(tap_count(phase, head));
  std::vector<double> products((taps + 1) * (taps + 1), 0);
  std::vector<const Example*> examples;
  size_t count = 0;
  for (const Heads& heads : gathered_) {
    const Gathered& g = heads[size_t(number)][size_t(phase)][size_t(head)];
    for (size_t i = 0; i < g.products.size(); ++i) products[i] += g.products[i];
    for (const Example& e : g.examples) examples.push_back(&e);
    count += g.count;
  }
  std::vector<double> weights;
  if (examples.size() < 64 || count < 4 * taps || !solve_system(products, taps, weights)) return {};
  weights.back() -= 1;  // the network's mean is there already
  Tuning tuning;
  for (double w : weights)
    tuning.taps.push_back(int16_t(std::clamp(std::lround(w * (1 << kTapBits)), -long{kTapLimit}, long{kTapLimit})));
  tuning.tap_scale = tap_scale_of(tuning);
  Judge judge(std::move(examples), range);
  const double before = judge.untuned();
  judge.set_taps(tuning);
  const double after = fit_width(judge, tuning);
  size_t used = 0;
  for (const Heads& heads : gathered_) used += heads[size_t(number)][size_t(phase)][size_t(head)].examples.size();
  const double gain = (before - after) * double(count) / double(used);
  return gain > cost_of(tuning) + kLeastGain ? tuning : Tuning{};
}

}  // namespace wyner::lossless
