// Coding of a picture's samples level by level (docs/spec/lossless.md, sections 2 and 6). One template serves both
// directions, so that encoder and decoder cannot disagree.
//
// A coder has streams(), how many streams there are, and code(stream, cdf, value), which returns the value coded;
// a decoding one ignores the value it is given. finished(pixels) tells of pixels that are done.
#pragma once

#include <vector>

#include "coder/distribution.h"
#include "lossless/layers.h"
#include "lossless/network.h"

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

// Residuals that heads see: of Y's first half, of Y, of Y and Co.
using Seen = std::array<Field, 3>;

inline void note(Seen& seen, int head, int y, int x, int16_t residual) {
  for (int i = head; i < 3 && head < 3; ++i) seen[size_t(i)].at(0, y, x)[head == 2] = residual;
}

template <class Coder>
void code_row(const Setting& setting, Level& level, const Ranges& ranges, int phase, int head, const Field& state,
              Seen& seen, int y, int stream, Coder& coder) {
  static const Field none;
  const int colour = head < 2 ? 0 : head - 1, columns = level.columns(phase);
  int32_t* samples = level.planes[size_t(phase)][size_t(colour)].row(y);
  Known known;
  Mixtures mixtures;
  for (int x = 0; x < columns; x += kSegment) {
    look(level, phase, y, x, known);
    make_mixtures(setting, phase, head, state, head ? seen[size_t(head - 1)] : none, y, x, known, mixtures);
    for (int i = 0; i < kSegment && x + i < columns; ++i) {
      if (!is_coded(head, y, x + i)) continue;
      const MixtureCdf cdf(mixtures.weight[i], mixtures.location[i], mixtures.scale[i], kMixture,
                           ranges[size_t(colour)]);
      samples[x + i] = coder.code(stream, cdf, samples[x + i]);
      note(seen, head, y, x + i, ratio(4 * samples[x + i] - known.base[colour][i], known.inverse[colour][i]));
    }
  }
}

template <class Coder>
void code_phase(const Setting& setting, Level& level, const Ranges& ranges, int colours, int phase,
                const Field& context, Coder& coder) {
  const int rows = level.rows(phase), streams = coder.streams();
  if (rows > 0 && level.columns(phase) > 0) {
    const Field state = make_state(setting, level, phase, context);
    Seen seen;
    for (Field& field : seen) field = Field(2, level.grid_width, level.grid_height);
    for (int head = 0; head < (colours == 1 ? 2 : kHeads); ++head)
      setting.pool.run(streams, [&](int s, int) {
        for (int y = rows * s / streams; y < rows * (s + 1) / streams; ++y)
          code_row(setting, level, ranges, phase, head, state, seen, y, s, coder);
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
    code_phase(setting, level, ranges, colours, phase, context, coder);
  for (int phase = 0; phase <= kA; ++phase) copy_phase(level, phase, picture, false);
}

}  // namespace wyner::lossless
