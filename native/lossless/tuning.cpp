#include "lossless/tuning.h"

#include <algorithm>

#include "coder/distribution.h"
#include "kernels/lossless_tables.h"

namespace wyner::lossless {
namespace {

// Residuals around a position that a head sees in a colour: of the other half of the checkerboard, or all nine.
constexpr int kAround = 9;
constexpr std::array<std::array<int, 2>, 4> kCross = {{{-1, 0}, {0, -1}, {0, 1}, {1, 0}}};

int colour_of(int head) { return std::max(0, head - 1); }

}  // namespace

int tap_count(int phase, int head) {
  const int colours = colour_of(head) + 1;
  return colours * kNeighbours[size_t(phase)] + (head == 1 ? int(kCross.size()) : kAround * (colours - 1)) + 1;
}

void make_regressors(const Level& level, int phase, int head, int y, int x, const Known& known,
                     const Residuals& residuals, Regressors& regressors) {
  int t = 0;
  for (int c = 0; c <= colour_of(head); ++c)
    for_neighbours(phase, [&](const Place& place) {
      const int32_t* s = sample_at(level, place, c, y, x);
      for (int i = 0; i < kSegment; ++i) regressors.at[t][i] = 4 * s[i] - known.base[c][i];
      ++t;
    });
  const auto add = [&](int which, int dy, int dx) {
    const int32_t* r = residuals[size_t(which)].row(y + dy) + x + dx;
    std::copy_n(r, kSegment, regressors.at[t++]);
  };
  if (head == 1)
    for (const auto& [dy, dx] : kCross) add(0, dy, dx);
  for (int c = 0; c < colour_of(head); ++c)
    for (int k = 0; k < kAround; ++k) add(c + 1, k / 3 - 1, k % 3 - 1);
}

int32_t mean_of(const Mixtures& mixtures, int i, int32_t base) {
  int64_t sum = 0;
  for (int k = 0; k < kMixture; ++k) sum += int64_t{mixtures.weight[i][k]} * mixtures.location[i][k];
  return int32_t(sum >> 16) - 64 * base;
}

int64_t shift_of(const Tuning& tuning, const Regressors& regressors, int32_t mean, int i) {
  const size_t last = tuning.taps.size() - 1;
  int64_t sum = 0;
  for (size_t t = 0; t < last; ++t) sum += int64_t{tuning.taps[t]} * regressors.at[t][i];
  return (64 * sum + int64_t{tuning.taps[last]} * mean + (1 << (kTapBits - 1))) >> kTapBits;
}

void apply(const Tuning& tuning, int32_t base, int32_t mean, int64_t shift, Mixtures& mixtures, int i) {
  constexpr int kUnit = 72;
  const int64_t centre = 64 * int64_t{base} + mean;
  for (int k = 0; k < kMixture; ++k) {
    const int scale = mixtures.scale[i][k];
    const int wider = std::clamp(tuning.width + ((tuning.slope * (scale - kUnit)) >> 6), -kWidthLimit, kWidthLimit);
    // 2^11 * 2^(wider / 16)
    const int64_t stretch = power_of_half(16 * (kWidthLimit - wider));
    const int64_t moved = centre + shift + (((mixtures.location[i][k] - centre) * stretch) >> (kPowerBits - 4));
    mixtures.location[i][k] = int32_t(std::clamp<int64_t>(moved, -kMaxLocation, kMaxLocation));
    mixtures.scale[i][k] = uint8_t(std::clamp(scale + wider, 0, 255));
  }
}

}  // namespace wyner::lossless
