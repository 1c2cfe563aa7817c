#include "lossless/samples.h"

#include <algorithm>
#include <cstdlib>

#include "kernels/lossless_tables.h"

namespace wyner::lossless {
namespace {

constexpr Place kNearest[kPhases][4] = {
    {{kA, 0, 0}, {kA, 0, 1}, {kA, 1, 0}, {kA, 1, 1}},
    {{kA, 0, 0}, {kA, 0, 1}, {0, -1, 0}, {0, 0, 0}},
    {{kA, 0, 0}, {kA, 1, 0}, {0, 0, -1}, {0, 0, 0}},
};

}  // namespace

void Grid::extend() {
  for (int y = 0; y < height_; ++y) {
    int32_t* r = row(y);
    std::fill_n(r - kMargin, kMargin, r[0]);
    std::fill_n(r + width_, kMargin, r[width_ - 1]);
  }
  for (int i = 1; i <= kMargin; ++i) {
    std::copy_n(row(0) - kMargin, stride_, row(-i) - kMargin);
    std::copy_n(row(height_ - 1) - kMargin, stride_, row(height_ - 1 + i) - kMargin);
  }
}

Level::Level(int w, int h)
    : width(w), height(h), grid_width(((w + 1) / 2 + 3) / 4 * 4), grid_height(((h + 1) / 2 + 3) / 4 * 4) {
  for (Plane& plane : planes)
    for (Grid& grid : plane) grid = Grid(grid_width, grid_height);
}

void Level::complete(int phase) {
  const int known_rows = phase == kA ? (height + 1) / 2 : rows(phase);
  const int known_columns = phase == kA ? (width + 1) / 2 : columns(phase);
  for (size_t c = 0; c < kColours; ++c) {
    Grid& grid = planes[size_t(phase)][c];
    const Grid& from = planes[kA][c];
    for (int y = 0; y < grid_height; ++y) {
      const int32_t* source = phase == kA ? grid.row(std::min(y, known_rows - 1)) : from.row(y);
      for (int x = y < known_rows ? known_columns : 0; x < grid_width; ++x)
        grid.row(y)[x] = source[phase == kA ? std::min(x, known_columns - 1) : x];
    }
    grid.extend();
  }
}

void look(const Level& level, int phase, int y, int x, Known& known) {
  for (int c = 0; c < kColours; ++c) {
    int32_t *base = known.base[c], *spread = known.spread[c];
    std::fill_n(base, kSegment, 0);
    for (const Place& place : kNearest[phase]) {
      const int32_t* s = sample_at(level, place, c, y, x);
      for (int i = 0; i < kSegment; ++i) base[i] += s[i];
    }
    std::fill_n(spread, kSegment, kNeighbours[size_t(phase)]);
    for_neighbours(phase, [&](const Place& place) {
      const int32_t* s = sample_at(level, place, c, y, x);
      for (int i = 0; i < kSegment; ++i) spread[i] += std::abs(4 * s[i] - base[i]);
    });
    const int64_t count = int64_t{kNeighbours[size_t(phase)]} << 32;
    for (int i = 0; i < kSegment; ++i) known.inverse[c][i] = count / spread[i];
  }
}

void make_features(const Level& level, int phase, int y, int x, int depth, const Known& known, Features& features) {
  const int neighbours = kNeighbours[size_t(phase)];
  int feature = 0;
  for_neighbours(phase, [&](const Place& place) {
    for (int c = 0; c < kColours; ++c, ++feature) {
      const int32_t* s = sample_at(level, place, c, y, x);
      int16_t* to = features.pairs[feature / 2] + feature % 2;
      for (int i = 0; i < kSegment; ++i)
        to[2 * i] = int16_t(((4 * s[i] - known.base[c][i]) * known.inverse[c][i] + (1 << 23)) >> 24);
    }
  });
  const int unit = log2_of(uint32_t(4 * neighbours)) + 256 * depth;
  for (int c = 0; c < kColours; ++c) {
    const int log = kColours * neighbours + c, tone = log + kColours;
    for (int i = 0; i < kSegment; ++i) {
      const int spread = std::max((log2_of(uint32_t(known.spread[c][i])) - unit - 512) >> 1, -512);
      features.pairs[log / 2][2 * i + log % 2] = int16_t(spread);
      features.pairs[tone / 2][2 * i + tone % 2] = int16_t(known.base[c][i] >> (1 + depth));
    }
  }
}

}  // namespace wyner::lossless
