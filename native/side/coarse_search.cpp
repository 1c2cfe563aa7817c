#include "side/coarse_search.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/stable_log2.h"
#include "side/luma.h"

namespace wyner::side {
namespace {

constexpr int kCell = 4;          // samples of the reduced picture
constexpr int kWindow = 8;        // compared around each cell, which it overlaps by half a cell on all sides
constexpr int kSearchSize = 400;  // of the longer side of the picture searched, at most
constexpr float kNoise = 4 * 16;  // mean square that is no sign of a wrong match
constexpr float kSmallJump = 4, kLargeJump = 14;  // bits for a change of displacement between neighbours

int cells(int samples) { return (samples + kCell - 1) / kCell; }

// The samples of x around one cell.
class Window {
 public:
  Window(const Plane& x, int column, int row) : left_(column * kCell - 2), top_(row * kCell - 2) {
    for (int i = 0; i < kWindow; ++i) {
      const int16_t* r = x.clamped_row(top_ + i) + left_;
      std::copy(r, r + kWindow, samples_ + kWindow * i);
    }
  }

  // Mean square of the differences to y at a displacement, less their mean.
  float difference(const Plane& y, Shift shift) const {
    const int left = std::clamp(left_ + shift.x, -Plane::kPad, y.width + Plane::kPad - kWindow);
    int sum = 0, squares = 0;
    for (int i = 0; i < kWindow; ++i) {
      const int16_t* a = samples_ + kWindow * i;
      const int16_t* b = y.clamped_row(top_ + shift.y + i) + left;
      for (int k = 0; k < kWindow; ++k) {
        const int16_t d = int16_t(a[k] - b[k]);
        sum += d;
        squares += d * d;
      }
    }
    constexpr float kCount = kWindow * kWindow;
    return (float(squares) - float(sum) * float(sum) / kCount) / kCount;
  }

 private:
  int left_, top_;
  int16_t samples_[kWindow * kWindow];
};

// --- the whole picture, at a quarter of the size searched
// ---------------------------------------------------------

struct Verticals {
  int columns, rows;
  std::vector<int> local;  // displacement of each cell
  int common = 0;          // of most
};

Verticals find_verticals(const Plane& x, const Plane& y) {
  Verticals found{cells(x.width), cells(x.height), {}, 0};
  const int reach_x = x.width / 4, reach_y = x.height / 4;
  std::map<int, float> votes;
  for (int row = 0; row < found.rows; ++row)
    for (int column = 0; column < found.columns; ++column) {
      const Window window(x, column, row);
      float best = window.difference(y, {0, 0}), sum = 0;
      int best_y = 0;
      for (int dy = -reach_y; dy <= reach_y; ++dy)
        for (int dx = -reach_x; dx <= reach_x; ++dx) {
          const float difference = window.difference(y, {dx, dy});
          sum += stable_log2(kNoise + difference);
          if (difference < best) best = difference, best_y = dy;
        }
      found.local.push_back(best_y);
      // Clear minima count for more.
      votes[best_y] += sum / float((2 * reach_x + 1) * (2 * reach_y + 1)) - stable_log2(kNoise + best);
    }
  float most = 0;
  for (const auto& [dy, vote] : votes)
    if (vote > most) most = vote, found.common = dy;
  return found;
}

// --- a cost for each cell and horizontal displacement, made smooth along rows and columns
// ------------------------

struct Volume {
  int columns, rows, reach, depth;
  std::vector<float> cost;      // [row][column][reach + dx]
  std::vector<int16_t> best_y;  // the vertical displacement that has this cost

  size_t at(int column, int row) const { return (size_t(row) * columns + column) * depth; }
};

// Vertical displacements worth trying for a cell: one step around that of the picture and that of this part
// of it.
std::vector<int> rows_to_try(const Verticals& coarse, int column, int row) {
  const int r = std::min(row / 4, coarse.rows - 1), c = std::min(column / 4, coarse.columns - 1);
  const int local = coarse.local[r * coarse.columns + c];
  std::vector<int> tries;
  for (const int centre : {4 * coarse.common, 4 * local})
    for (int dy = centre - 2; dy <= centre + 2; ++dy)
      if (std::find(tries.begin(), tries.end(), dy) == tries.end()) tries.push_back(dy);
  return tries;
}

Volume match(const Plane& x, const Plane& y, const Verticals& coarse, float weight) {
  Volume v{cells(x.width), cells(x.height), std::max(8, x.width / 4), 0, {}, {}};
  v.depth = 2 * v.reach + 1;
  v.cost.resize(size_t(v.columns) * v.rows * v.depth);
  v.best_y.resize(v.cost.size());
  for (int row = 0; row < v.rows; ++row)
    for (int column = 0; column < v.columns; ++column) {
      const Window window(x, column, row);
      const std::vector<int> tries = rows_to_try(coarse, column, row);
      const size_t start = v.at(column, row);
      for (int d = 0; d < v.depth; ++d) {
        float best = INFINITY;
        for (const int dy : tries) {
          const float difference = window.difference(y, {d - v.reach, dy});
          if (difference < best) best = difference, v.best_y[start + d] = int16_t(dy);
        }
        v.cost[start + d] = weight * stable_log2(1 + best / kNoise);
      }
    }
  return v;
}

// One step of a path of semi-global matching (Hirschmueller 2008): out = own + the cheapest way from
// `before`.
void follow(const float* own, const float* before, float* out, int depth) {
  const float least = *std::min_element(before, before + depth);
  for (int d = 0; d < depth; ++d) {
    float way = std::min(before[d], least + kLargeJump);
    if (d > 0) way = std::min(way, before[d - 1] + kSmallJump);
    if (d + 1 < depth) way = std::min(way, before[d + 1] + kSmallJump);
    out[d] = own[d] + way - least;
  }
}

// Adds the costs along a path through cells start, start + stride, ... to `total`.
void add_path(const Volume& v, std::ptrdiff_t start, std::ptrdiff_t stride, int length,
              std::vector<float>& total) {
  std::vector<float> before(v.depth, 0.0f), here(v.depth);
  for (int i = 0; i < length; ++i, start += stride) {
    follow(v.cost.data() + start, before.data(), here.data(), v.depth);
    for (int d = 0; d < v.depth; ++d) total[start + d] += here[d];
    before.swap(here);
  }
}

std::vector<float> smoothed(const Volume& v) {
  std::vector<float> total(v.cost.size(), 0.0f);
  const std::ptrdiff_t across = v.depth, down = std::ptrdiff_t(v.depth) * v.columns;
  for (int row = 0; row < v.rows; ++row) {
    add_path(v, v.at(0, row), across, v.columns, total);
    add_path(v, v.at(v.columns - 1, row), -across, v.columns, total);
  }
  for (int column = 0; column < v.columns; ++column) {
    add_path(v, v.at(column, 0), down, v.rows, total);
    add_path(v, v.at(column, v.rows - 1), -down, v.rows, total);
  }
  return total;
}

// The least of the local minima, in pixels of the full picture; the best is repeated if there are fewer.
std::array<Shift, kShiftsPerCell> best_shifts(const Volume& v, const float* total, const int16_t* best_y,
                                              int step) {
  std::vector<int> minima;
  for (int d = 0; d < v.depth; ++d)
    if ((d == 0 || total[d] < total[d - 1]) && (d + 1 == v.depth || total[d] <= total[d + 1]))
      minima.push_back(d);
  std::stable_sort(minima.begin(), minima.end(), [&](int a, int b) { return total[a] < total[b]; });
  std::array<Shift, kShiftsPerCell> shifts;
  for (size_t i = 0; i < shifts.size(); ++i) {
    const int d = minima[i < minima.size() ? i : 0];
    shifts[i] = {(d - v.reach) * step, best_y[d] * step};
  }
  return shifts;
}

}  // namespace

CoarseField coarse_search(const Plane& full_x, const Plane& full_y) {
  Plane x = full_x, y = full_y;
  int step = 1;
  for (; std::max(x.width, x.height) > kSearchSize; step *= 2) {
    x = halved(x);
    y = halved(y);
  }
  const Verticals coarse = find_verticals(halved(halved(x)), halved(halved(y)));
  const Volume volume = match(x, y, coarse, 0.5f * float(kCell * kCell * step * step));
  const std::vector<float> total = smoothed(volume);
  CoarseField field{kCell * step, volume.columns, volume.rows, step, {}};
  for (int row = 0; row < field.rows; ++row)
    for (int column = 0; column < field.columns; ++column) {
      const size_t start = volume.at(column, row);
      field.shifts.push_back(best_shifts(volume, total.data() + start, volume.best_y.data() + start, step));
    }
  return field;
}

}  // namespace wyner::side
