#include "side/overlap.h"

#include <algorithm>

#include "side/block_match.h"
#include "side/luma.h"

namespace wyner::side {

Overlap::Overlap(const Plane& x, const Plane& y, const Field& field)
    : x_(x), y_(y), field_(field), blend_(size_t(x.width) * x.height, 0) {
  int16_t predicted[kSideBlock * kSideBlock];
  for (int row = 0; row < field.rows; ++row)
    for (int column = 0; column < field.columns; ++column) {
      const Block all = region(column, row);
      const Weights w = weights(column, row, all);
      tiles(all, [&](const Block& tile) {
        predict(y_, tile, field_.vectors[field_.at(column, row)], {0, kMaxLuma}, predicted);
        for (int j = 0; j < tile.height; ++j)
          for (int i = 0; i < tile.width; ++i)
            blend_[size_t(tile.top + j) * x_.width + tile.left + i] += w.down[tile.top - all.top + j] *
                                                                       w.across[tile.left - all.left + i] *
                                                                       predicted[j * kSideBlock + i];
      });
    }
}

Block Overlap::region(int column, int row) const {
  const int s = field_.block, left = std::max(0, column * s - s / 2), top = std::max(0, row * s - s / 2);
  return {left, top, std::min(column * s + s + s / 2, x_.width) - left,
          std::min(row * s + s + s / 2, x_.height) - top};
}

// Of a block at sample i counted from its own first one. `first`, `last`: there is no block before it, or
// after it.
int Overlap::weight(int i, bool first, bool last) const {
  const int s = field_.block;
  if (i < 0) return neighbour_weight(i + s, s);
  if (i >= s) return neighbour_weight(i - s, s);
  return (first && i < s / 2) || (last && i >= s / 2) ? 64 : 64 - neighbour_weight(i, s);
}

Overlap::Weights Overlap::weights(int column, int row, const Block& all) const {
  Weights w;
  for (int i = 0; i < all.width; ++i)
    w.across[i] =
        int16_t(weight(all.left + i - column * field_.block, column == 0, column == field_.columns - 1));
  for (int j = 0; j < all.height; ++j)
    w.down[j] = int16_t(weight(all.top + j - row * field_.block, row == 0, row == field_.rows - 1));
  return w;
}

// Calls visit for parts of a block that predict() can do.
template <class Visit>
void Overlap::tiles(const Block& all, Visit visit) const {
  for (int top = all.top; top < all.top + all.height; top += kSideBlock)
    for (int left = all.left; left < all.left + all.width; left += kSideBlock)
      visit(Block{left, top, std::min(kSideBlock, all.left + all.width - left),
                  std::min(kSideBlock, all.top + all.height - top)});
}

float Overlap::mean_square_error(int column, int row, Vector v) const {
  const Block all = region(column, row);
  const Weights w = weights(column, row, all);
  const Vector own = field_.vectors[field_.at(column, row)];
  const SideKernels& kernels = side_kernels();
  int16_t from[kSideBlock * kSideBlock], to[kSideBlock * kSideBlock];
  int64_t sum = 0, squares = 0;
  tiles(all, [&](const Block& tile) {
    predict(y_, tile, own, {0, kMaxLuma}, from);
    predict(y_, tile, v, {0, kMaxLuma}, to);
    int squares_here = 0;
    for (int j = 0; j < tile.height; ++j) {
      const int y = tile.top + j;
      sum +=
          kernels.blended_difference(x_.row(y) + tile.left, blend_.data() + size_t(y) * x_.width + tile.left,
                                     w.across + tile.left - all.left, w.down[y - all.top],
                                     from + j * kSideBlock, to + j * kSideBlock, tile.width, &squares_here);
    }
    squares += squares_here;
  });
  return mean_square(sum, squares, all.width * all.height);
}

void Overlap::change(int column, int row, Vector v) {
  const Block all = region(column, row);
  const Weights w = weights(column, row, all);
  const Vector own = field_.vectors[field_.at(column, row)];
  int16_t from[kSideBlock * kSideBlock], to[kSideBlock * kSideBlock];
  tiles(all, [&](const Block& tile) {
    predict(y_, tile, own, {0, kMaxLuma}, from);
    predict(y_, tile, v, {0, kMaxLuma}, to);
    for (int j = 0; j < tile.height; ++j)
      for (int i = 0; i < tile.width; ++i)
        blend_[size_t(tile.top + j) * x_.width + tile.left + i] +=
            w.down[tile.top - all.top + j] * w.across[tile.left - all.left + i] *
            (to[j * kSideBlock + i] - from[j * kSideBlock + i]);
  });
}

}  // namespace wyner::side
