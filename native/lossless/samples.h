// Samples of a level's four phases, and what those that are known say of the next (docs/spec/lossless.md,
// sections 2 and 5).
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/aligned.h"
#include "kernels/lossless_kernels.h"
#include "lossless/model.h"

namespace wyner::lossless {

constexpr int kColours = 3;  // Y, Co, Cg; the last two are 0 in grey pictures

// One channel on a grid, repeated by kMargin at every side, with slack for whole segments.
class Grid {
 public:
  static constexpr int kMargin = 2;

  Grid() = default;
  Grid(int width, int height)
      : width_(width), height_(height),
        stride_(size_t((width + kSegment - 1) / kSegment * kSegment + 2 * kMargin)),
        data_(stride_ * (height + 2 * kMargin), 0) {}

  int width() const { return width_; }
  int height() const { return height_; }
  int32_t* row(int y) { return data_.data() + stride_ * (y + kMargin) + kMargin; }
  const int32_t* row(int y) const { return const_cast<Grid*>(this)->row(y); }

  // Fills the margin from the outermost samples.
  void extend();

 private:
  int width_ = 0, height_ = 0;
  size_t stride_ = 0;
  std::vector<int32_t> data_;
};

using Plane = std::array<Grid, kColours>;

enum PhaseName { kA = 3 };  // planes: d, h, v, then a

// A level of width x height samples: its phases on grids whose sizes are multiples of 4.
struct Level {
  Level(int width, int height);

  // Samples of a phase that exist: rows and columns of its grid.
  int rows(int phase) const { return phase == 0 || phase == 2 ? height / 2 : (height + 1) / 2; }
  int columns(int phase) const { return phase == 0 || phase == 1 ? width / 2 : (width + 1) / 2; }
  // Where sample (y, x) of a phase lies.
  int top(int phase, int y) const { return 2 * y + (phase == 0 || phase == 2); }
  int left(int phase, int x) const { return 2 * x + (phase == 0 || phase == 1); }

  // Once the samples that exist are set: gives the rest of the grid the values of phase a, or for phase a the
  // nearest, and extends it.
  void complete(int phase);

  int width, height, grid_width, grid_height;
  std::array<Plane, 4> planes;
};

// A sample seen from a position of a phase's grid.
struct Place {
  int phase, dy, dx;
};

// A block of neighbours: rows and columns, ends excluded.
struct Block {
  int phase, top, bottom, left, right;
};

constexpr Block kBlocks[kPhases][3] = {
    {{kA, -1, 3, -1, 3}, {}, {}},
    {{kA, -1, 2, -1, 3}, {0, -2, 2, -1, 2}, {}},
    {{kA, -1, 3, -1, 2}, {0, -1, 2, -2, 2}, {1, -1, 3, -2, 2}},
};

// Calls visit(place) for the neighbours of a phase, kNeighbours of it, in their order.
template <class Visit>
void for_neighbours(int phase, Visit visit) {
  for (const Block& b : kBlocks[phase])
    for (int dy = b.top; dy < b.bottom; ++dy)
      for (int dx = b.left; dx < b.right; ++dx) visit(Place{b.phase, dy, dx});
}

inline const int32_t* sample_at(const Level& level, const Place& place, int colour, int y, int x) {
  return level.planes[size_t(place.phase)][size_t(colour)].row(y + place.dy) + x + place.dx;
}

// What is known of a segment of a phase, in quarters of a step.
struct Known {
  int32_t base[kColours][kSegment];    // sum of the nearest four
  int32_t spread[kColours][kSegment];  // sum of distances from it, and one for each neighbour
  int64_t inverse[kColours][kSegment]; // 2^32 * neighbours / spread
};

constexpr int kMostPairs = features_of(2) / 2;

// Numbers the network is given.
struct Features {
  alignas(64) int16_t pairs[kMostPairs][2 * kSegment];
};

// depth: bits of a sample above 8.
void look(const Level& level, int phase, int y, int x, Known& known);
void make_features(const Level& level, int phase, int y, int x, int depth, const Known& known, Features& features);

// A residual as the heads see it.
inline int16_t ratio(int32_t quarters, int64_t inverse) {
  const int64_t r = (quarters * inverse + (1 << 23)) >> 24;
  return int16_t(r < -kValueLimit ? -kValueLimit : r > kValueLimit ? kValueLimit : r);
}

}  // namespace wyner::lossless
