// Coding of a picture's samples level by level (docs/spec/lossless.md, sections 2 and 6). One template serves both
// directions, so that encoder and decoder cannot disagree.
//
// A coder has streams(), how many streams there are, and code(stream, cdf, value), which returns the value coded;
// a decoding one ignores the value it is given. finished(pixels) tells of pixels that are done. tuning(level,
// phase, head) is null where nothing is to be tuned. One with kFits observes instead of coding (fit.h).
#pragma once

#include <vector>

#include "coder/distribution.h"
#include "lossless/layers.h"
#include "lossless/network.h"
#include "lossless/tuning.h"

namespace wyner::lossless {

// Samples of kColours planes, row by row.
struct Picture {
  Picture(int w, int h) : width(w), height(h) {
    for (auto& plane : planes) plane.assign(size_t(w) * h, 0);
  }
  int32_t* row(int colour, int y) { return planes[size_t(colour)].data() + size_t(y) * width; }
  const int32_t* row(int colour, int y) const { return const_cast<Picture*>(this)->row(colour, y); }

  int width, height;
  std::array<std::vector<int32_t>, kColours> planes;
};

using Ranges = std::array<Alphabet, kColours>;

// Which of its grid's positions a head codes.
inline bool is_coded(int head, int y, int x) { return head > 1 || (y + x) % 2 == head; }

// What is noted of a phase while it is coded.
struct Notes {
  explicit Notes(const Level& level) {
    for (Field& field : seen) field = Field(2, level.grid_width, level.grid_height);
    for (Grid& grid : residuals) grid = Grid(level.grid_width, level.grid_height);
  }

  void add(int head, int y, int x, int32_t residual, int64_t inverse) {
    for (size_t i = size_t(head); i < seen.size(); ++i) seen[i].at(0, y, x)[head == 2] = ratio(residual, inverse);
    for (size_t i = size_t(head); i < (head < 2 ? 2 : residuals.size()); ++i) residuals[i].row(y)[x] = residual;
  }

  std::array<Field, 3> seen;  // by the heads after the first: Y's first half, Y, Y and Co
  Residuals residuals;
};

// One row of one head.
struct RowTask {
  const Setting& setting;
  int level_number, phase, head, y, stream;

  int colour() const { return head < 2 ? 0 : head - 1; }
};

template <class Coder>
void code_row(const RowTask& task, Level& level, const Ranges& ranges, const Field& state, Notes& notes, Coder& coder) {
  static const Field none;
  const auto [setting, number, phase, head, y, stream] = task;
  const int colour = task.colour(), columns = level.columns(phase);
  int32_t* samples = level.planes[size_t(phase)][size_t(colour)].row(y);
  const Tuning* tuning = number < kTunedLevels ? coder.tuning(number, phase, head) : nullptr;
  bool looked = false;
  if constexpr (Coder::kFits) looked = number < kTunedLevels && coder.looks(level, phase, y);
  Known known;
  Mixtures mixtures;
  Regressors regressors;
  for (int x = 0; x < columns; x += kSegment) {
    const int count = std::min(kSegment, columns - x);
    look(level, phase, y, x, known);
    make_mixtures(setting, phase, head, state, head ? notes.seen[size_t(head - 1)] : none, y, x, known, mixtures);
    if (tuning || looked) make_regressors(level, phase, head, y, x, known, notes.residuals, regressors);
    bool coded[kSegment];
    for (int i = 0; i < count; ++i) coded[i] = is_coded(head, y, x + i);
    if constexpr (Coder::kFits)
      if (number < kTunedLevels)
        coder.observe(stream, number, phase, head, regressors, known, mixtures, samples + x, coded, count, looked);
    for (int i = 0; i < count; ++i) {
      if (!coded[i]) continue;
      if (tuning) {
        const int32_t base = known.base[colour][i], mean = mean_of(mixtures, i, base);
        apply(*tuning, base, mean, shift_of(*tuning, regressors, mean, i), mixtures, i);
      }
      const MixtureCdf cdf(mixtures.weight[i], mixtures.location[i], mixtures.scale[i], kMixture,
                           ranges[size_t(colour)]);
      samples[x + i] = coder.code(stream, cdf, samples[x + i]);
      if (head < 3) notes.add(head, y, x + i, 4 * samples[x + i] - known.base[colour][i], known.inverse[colour][i]);
    }
  }
}

template <class Coder>
void code_phase(const Setting& setting, int number, Level& level, const Ranges& ranges, int colours, int phase,
                const Field& context, Coder& coder) {
  const int rows = level.rows(phase), streams = coder.streams();
  if (rows > 0 && level.columns(phase) > 0) {
    const Field state = make_state(setting, level, phase, context);
    Notes notes(level);
    for (int head = 0; head < heads_of(colours); ++head)
      setting.pool.run(streams, [&](int s, int) {
        for (int y = rows * s / streams; y < rows * (s + 1) / streams; ++y)
          code_row({setting, number, phase, head, y, s}, level, ranges, state, notes, coder);
      });
  }
  level.complete(phase);
  coder.finished(size_t(rows) * level.columns(phase));
}

inline void copy_phase(Level& level, int phase, Picture& whole, bool to_level) {
  for (int c = 0; c < kColours; ++c)
    for (int y = 0; y < level.rows(phase); ++y) {
      int32_t *samples = level.planes[size_t(phase)][size_t(c)].row(y), *row = whole.row(c, level.top(phase, y));
      for (int x = 0; x < level.columns(phase); ++x)
        if (to_level) samples[x] = row[level.left(phase, x)];
        else row[level.left(phase, x)] = samples[x];
    }
}

// Codes the picture, which a decoder fills. depth: bits of a sample above 8.
template <class Coder>
void code_picture(const Model& model, Picture& picture, const Ranges& ranges, int colours, int depth,
                  ThreadPool& pool, Coder& coder, int number = 0) {
  if (picture.width == 1 && picture.height == 1) {
    for (int c = 0; c < colours; ++c) {
      const Alphabet range = ranges[size_t(c)];
      const ParametricCdf cdf(Kind::logistic, 128 * (range.low + range.high), 255, range);
      *picture.row(c, 0) = coder.code(0, cdf, *picture.row(c, 0));
    }
    coder.finished(1);
    return;
  }
  Level level(picture.width, picture.height);
  for (int phase = 0; phase <= kA; ++phase) copy_phase(level, phase, picture, true);
  {
    Picture coarse((picture.width + 1) / 2, (picture.height + 1) / 2);
    for (int c = 0; c < kColours; ++c)
      for (int y = 0; y < coarse.height; ++y)
        std::copy_n(level.planes[kA][size_t(c)].row(y), coarse.width, coarse.row(c, y));
    code_picture(model, coarse, ranges, colours, depth, pool, coder, number + 1);
    for (int c = 0; c < kColours; ++c)
      for (int y = 0; y < coarse.height; ++y)
        std::copy_n(coarse.row(c, y), coarse.width, level.planes[kA][size_t(c)].row(y));
  }
  level.complete(kA);
  const Setting setting{model, std::min(number, kLevels - 1), depth, pool};
  const Field context = make_context(setting, level);
  for (int phase = 0; phase < kPhases; ++phase)
    code_phase(setting, number, level, ranges, colours, phase, context, coder);
  for (int phase = 0; phase <= kA; ++phase) copy_phase(level, phase, picture, false);
}

}  // namespace wyner::lossless
