// Tunings in a stream (docs/spec/lossless.md, section 7). One template serves both directions, as in levels.h.
#pragma once

#include "coder/distribution.h"
#include "lossless/tuning.h"

namespace wyner::lossless {

// A number that may be anything in the range alike.
template <class Coder>
int32_t code_even(Coder& coder, Alphabet range, int32_t value) {
  return coder.code(0, ParametricCdf(Kind::logistic, 128 * (range.low + range.high), 255, range), value);
}

template <class Coder>
void code_tuning(Coder& coder, Tuning& tuning, int taps) {
  const bool used = code_even(coder, {0, 1}, !tuning.taps.empty());
  tuning.taps.resize(used ? size_t(taps) : 0);
  if (!used) return;
  tuning.width = code_even(coder, {-kWidthLimit, kWidthLimit}, tuning.width);
  tuning.slope = code_even(coder, {-kSlopeLimit, kSlopeLimit}, tuning.slope);
  tuning.tap_scale = code_even(coder, {0, 255}, tuning.tap_scale);
  for (int16_t& tap : tuning.taps)
    tap = int16_t(coder.code(0, ParametricCdf(Kind::laplace, 0, uint8_t(tuning.tap_scale), {-kTapLimit, kTapLimit}), tap));
}

template <class Coder>
void code_tunings(Coder& coder, Tunings& tunings, int colours) {
  for (auto& level : tunings)
    for (int phase = 0; phase < kPhases; ++phase)
      for (int head = 0; head < heads_of(colours); ++head)
        code_tuning(coder, level[size_t(phase)][size_t(head)], tap_count(phase, head));
}

}  // namespace wyner::lossless
