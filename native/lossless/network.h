// The network at work on a level (docs/spec/lossless.md, section 4): context of a level, state of a phase, and
// the distributions of a row of samples.
#pragma once

#include "base/thread_pool.h"
#include "lossless/field.h"
#include "lossless/model.h"
#include "lossless/samples.h"

namespace wyner::lossless {

// What a level's phases share. number: the level's, 0 for the finest.
struct Setting {
  const Model& model;
  int number;  // of biases: at most kLevels - 1
  int depth;   // bits of a sample above 8
  ThreadPool& pool;
};

// From phase a, which must be complete.
Field make_context(const Setting& setting, const Level& level);

// The trunk of a phase, from those before it.
Field make_state(const Setting& setting, const Level& level, int phase, const Field& context);

// A mixture for each position of a segment, but for its base.
struct Mixtures {
  int32_t weight[kSegment][kMixture];
  int32_t location[kSegment][kMixture];
  uint8_t scale[kSegment][kMixture];
};

// The distributions of a segment that head `head` gives; `seen` are residuals of one pair (Y, Co).
void make_mixtures(const Setting& setting, int phase, int head, const Field& state, const Field& seen, int y, int x,
                   const Known& known, Mixtures& mixtures);

}  // namespace wyner::lossless
