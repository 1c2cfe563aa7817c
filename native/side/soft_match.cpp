#include "side/soft_match.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "base/parallel.h"
#include "kernels/side_kernels.h"
#include "side/luma.h"
#include "side/planes.h"

namespace wyner::side {
namespace {

constexpr int kMeanReach = 5;     // of the local mean, half of which is taken from what is compared
constexpr int kWindowReach = 2;   // a cell is compared with so many pixels more on each side
constexpr int kPad = 2;           // zeros before and behind the beliefs of a cell
constexpr int kSteps = 148;       // likelihoods fall to 1e-4, never further
constexpr int kScale = 4096;      // what the weights of a cell's displacements add up to

// Beliefs of every cell about the labels, in rows of cells.
class Beliefs {
 public:
  Beliefs(int columns, int rows, int labels)
      : columns(columns), rows(rows), labels(labels),
        count((labels + kSideStripes - 1) / kSideStripes * kSideStripes), stride_(size_t(count) + 2 * kPad),
        data_(stride_ * columns * rows) {}

  float* at(int row, int column) { return data_.data() + (size_t(row) * columns + column) * stride_ + kPad; }
  const float* at(int row, int column) const { return const_cast<Beliefs*>(this)->at(row, column); }

  const int columns, rows, labels, count;

 private:
  size_t stride_;
  std::vector<float> data_;
};

// --- what is compared (section 2) --------------------------------------------------------------------

// Twice the luma, 10 bits, less its local mean.
IntPlane contrast(const IntPlane& luma, int threads) {
  const IntPlane mean = box(luma, kMeanReach, threads);
  return make_plane(luma.width, luma.height, threads,
                    [&](int y, int x) { return 2 * luma.row(y)[x] - mean.row(y)[x]; });
}

IntPlane luma10(const Plane& plane, int threads) {
  return make_plane(plane.width, plane.height, threads, [&](int y, int x) { return plane.row(y)[x]; });
}

class Compared {
 public:
  Compared(const Picture& x, const Picture& side, const Search& search, int threads)
      : search_(search), x_(contrast(luma10(luma_plane(x), threads), threads)),
        y_(of_side(side, luma_plane(x), search, threads)) {}

  // Sums of squared differences of a row of cells, for each label those of all cells one after another.
  void row_costs(int row, int columns, std::vector<int32_t>& costs) const {
    const int cell = search_.cell, side = cell + 2 * kWindowReach, width = x_.width;
    const int padded = columns * cell + 2 * kWindowReach, labels = search_.high - search_.low + 1;
    std::vector<int16_t> own(size_t(padded) * side), other(size_t(padded + labels) * side);
    for (int i = 0; i < side; ++i) {
      const int y = row * cell - kWindowReach + i;
      const int32_t *a = x_.clamped_row(std::min(y, x_.height - 1)),
                    *b = y_.clamped_row(std::min(y, x_.height - 1) + search_.vertical);
      for (int k = 0; k < padded; ++k)
        own[size_t(i) * padded + k] = int16_t(a[std::clamp(k - kWindowReach, 0, width - 1)]);
      for (int k = 0; k < padded + labels; ++k)
        other[size_t(i) * (padded + labels) + k] =
            int16_t(b[std::clamp(k - kWindowReach + search_.low, 0, y_.width - 1)]);
    }
    std::vector<int32_t> sums(padded);
    for (int label = 0; label < labels; ++label) {
      std::fill(sums.begin(), sums.end(), 0);
      for (int i = 0; i < side; ++i)
        side_kernels().add_squares(own.data() + size_t(i) * padded,
                                   other.data() + size_t(i) * (padded + labels) + label, padded, sums.data());
      for (int c = 0; c < columns; ++c) {
        int32_t sum = 0;
        for (int k = 0; k < side; ++k) sum += sums[c * cell + k] >> 4;
        costs[size_t(label) * columns + c] = sum;
      }
    }
  }

 private:
  static IntPlane of_side(const Picture& side, const Plane& target, const Search& search, int threads) {
    Plane plane = luma_plane(side);
    match_exposure(plane, target);
    IntPlane luma = luma10(plane, threads);
    for (int i = 0; i < search.blur; ++i) luma = smooth(luma, threads);
    return contrast(luma, threads);
  }

  Search search_;
  IntPlane x_, y_;
};

// --- likelihoods and beliefs (section 3) -------------------------------------------------------------

std::array<float, kSteps> likelihood_table() {
  std::array<float, kSteps> table;
  double v = 1;
  for (float& entry : table) {
    entry = float(v);
    v *= 0.93941306281347581;  // exp(-1/16)
  }
  return table;
}

// A cost of one 8-bit step squared in each pixel: contrasts are in 1/8 steps, and costs were shifted by 4.
double window_unit(const Search& search) {
  const int side = search.cell + 2 * kWindowReach;
  return 64.0 * side * side / 16;
}

void likelihoods(const Compared& compared, const Search& search, Beliefs& out, IntPlane& least_costs, int threads) {
  const std::array<float, kSteps> table = likelihood_table();
  const float steps = float(8 / (window_unit(search) * search.temperature));
  parallel_parts(out.rows, threads, [&](int begin, int end) {
    std::vector<int32_t> costs(size_t(out.columns) * out.labels);
    for (int row = begin; row < end; ++row) {
      compared.row_costs(row, out.columns, costs);
      for (int c = 0; c < out.columns; ++c) {
        int32_t least = costs[c];
        for (int l = 1; l < out.labels; ++l) least = std::min(least, costs[size_t(l) * out.columns + c]);
        float* p = out.at(row, c);
        for (int l = 0; l < out.labels; ++l) {
          const float step = float(costs[size_t(l) * out.columns + c] - least) * steps;
          p[l] = table[int(std::min(step, float(kSteps - 1)))];
        }
        least_costs.row(row)[c] = least;
      }
    }
  });
}

// Multiplies what neighbours say into `product`: along rows, then along columns, both ways each.
void exchange(const Beliefs& likelihood, Beliefs& product, int threads) {
  const auto& kernels = side_kernels();
  const int count = likelihood.count;
  const auto chain = [&](int length, auto own, auto result) {
    std::vector<float> message(count), input(size_t(count) + 2 * kPad);
    for (int way = 0; way < 2; ++way) {
      for (int i = 1; i < length; ++i) {
        const int from = way ? length - i : i - 1, to = way ? from - 1 : from + 1;
        const float* p = own(from);
        for (int k = 0; k < count; ++k) input[kPad + k] = i == 1 ? p[k] : p[k] * message[k];
        kernels.spread(input.data() + kPad, count, message.data());
        float* r = result(to);
        for (int k = 0; k < count; ++k) r[k] *= message[k];
      }
    }
  };
  parallel_parts(product.rows, threads, [&](int begin, int end) {
    for (int row = begin; row < end; ++row)
      chain(product.columns, [&](int c) { return likelihood.at(row, c); },
            [&](int c) { return product.at(row, c); });
  });
  parallel_parts(product.columns, threads, [&](int begin, int end) {
    for (int column = begin; column < end; ++column)
      chain(product.rows, [&](int r) { return likelihood.at(r, column); },
            [&](int r) { return product.at(r, column); });
  });
}

// --- the expectation (section 4) ---------------------------------------------------------------------

struct Weighted {
  int32_t label, weight;
};

// Of each cell, the labels that count, with their weights.
class Choices {
 public:
  Choices(const Beliefs& beliefs) : first_{0} {
    for (int row = 0; row < beliefs.rows; ++row)
      for (int c = 0; c < beliefs.columns; ++c) add(beliefs.at(row, c), beliefs.labels);
  }

  const Weighted* begin(size_t cell) const { return all_.data() + first_[cell]; }
  const Weighted* end(size_t cell) const { return all_.data() + first_[cell + 1]; }

 private:
  void add(const float* p, int labels) {
    const float unit = 255 / *std::max_element(p, p + labels);
    const size_t begin = all_.size();
    int32_t sum = 0;
    for (int l = 0; l < labels; ++l) {
      const int32_t weight = int32_t(p[l] * unit);
      if (weight < 4) continue;
      all_.push_back({l, weight});
      sum += weight;
    }
    for (size_t i = begin; i < all_.size(); ++i) all_[i].weight = all_[i].weight * kScale / sum;
    first_.push_back(all_.size());
  }

  std::vector<Weighted> all_;
  std::vector<size_t> first_;
};

int32_t root(int64_t v) {
  int64_t r = int64_t(std::sqrt(double(v)));
  while (r * r > v) --r;
  while ((r + 1) * (r + 1) <= v) ++r;
  return int32_t(std::min<int64_t>(r, 32767));
}

int64_t rounded(int64_t sum, int64_t count) {
  const int64_t twice = 2 * sum + count;
  return twice / (2 * count) - (twice % (2 * count) < 0);
}

// What the neighbouring cells say of one row of pixels.
struct RowSums {
  RowSums(int width, int planes)
      : sums(planes, std::vector<int64_t>(width)), squares(width), costs(width), weights(width) {}

  std::vector<std::vector<int64_t>> sums;
  std::vector<int64_t> squares, costs, weights;
};

void add_cell(RowSums& row, const std::vector<const int32_t*>& side, int side_width, const Search& search,
              const Choices& choices, size_t cell, int first, int vertical_weight, int64_t cost, int width) {
  const int span = search.cell;
  for (int k = 0; k < 2 * span; ++k) {
    const int x = first + k;
    if (x < 0 || x >= width) continue;
    const int64_t tent = int64_t{vertical_weight} * (k < span ? 2 * k + 1 : 4 * span - 2 * k - 1);
    for (const Weighted* w = choices.begin(cell); w != choices.end(cell); ++w) {
      const int at = std::clamp(x + search.low + w->label, 0, side_width - 1);
      const int64_t weight = tent * w->weight;
      for (size_t p = 0; p < side.size(); ++p) row.sums[p][x] += weight * side[p][at];
      const int64_t y = side[0][at] >> 2;
      row.squares[x] += weight * y * y;
      row.weights[x] += weight;
    }
    row.costs[x] += tent * kScale * cost;
  }
}

}  // namespace

std::vector<int16_t> soft_match(const Picture& x, const Picture& side, const Search& search, int threads) {
  const int cell = search.cell;
  // With more labels than kScale, equal ones would all have a weight of 0.
  if (cell < 2 || cell > kMaxCell || cell % 2 || std::abs(search.low) > 65535 || search.low > search.high ||
      search.high >= search.low + kScale || std::abs(search.vertical) > 65535 || search.blur < 0 ||
      search.blur > 64 || search.temperature < 1 || search.temperature > 65535)
    throw Error(ErrorKind::argument, "soft match: the search is out of range");
  const int columns = (x.width + cell - 1) / cell, rows = (x.height + cell - 1) / cell;
  if (int64_t{columns} * rows * (search.high - search.low + 1) > kMaxBeliefs)
    throw Error(ErrorKind::argument, "soft match: too many cells and labels");
  Beliefs likelihood(columns, rows, search.high - search.low + 1);
  IntPlane least(columns, rows);
  likelihoods(Compared(x, side, search, threads), search, likelihood, least, threads);
  Beliefs product = likelihood;
  exchange(likelihood, product, threads);
  const Choices choices(product);

  const std::vector<IntPlane> planes = colour_planes(side, threads);
  const size_t channels = size_t(x.channels), size = size_t(x.width) * x.height;
  std::vector<int16_t> out((channels + 2) * size);
  parallel_parts(x.height, threads, [&](int begin, int end) {
    for (int y = begin; y < end; ++y) {
      RowSums sums(x.width, int(planes.size()));
      std::vector<const int32_t*> side_rows;
      for (const IntPlane& plane : planes) side_rows.push_back(plane.clamped_row(y + search.vertical));
      const int above = (y + cell / 2) / cell - 1;  // the row of cells whose middle is above
      for (int row = above; row <= above + 1; ++row) {
        if (row < 0 || row >= rows) continue;
        const int k = y - (row * cell - cell / 2);
        const int weight = k < cell ? 2 * k + 1 : 4 * cell - 2 * k - 1;
        for (int c = 0; c < columns; ++c)
          add_cell(sums, side_rows, side.width, search, choices, size_t(row) * columns + c,
                   c * cell - cell / 2, weight, least.row(row)[c], x.width);
      }
      const double unit = window_unit(search);
      for (int i = 0; i < x.width; ++i) {
        const size_t at = size_t(y) * x.width + i;
        const int64_t count = sums.weights[i];
        for (size_t p = 0; p < channels && p < planes.size(); ++p)
          out[p * size + at] = int16_t(rounded(sums.sums[p][i], count));
        const int64_t mean = rounded(sums.sums[0][i], 4 * count);
        out[channels * size + at] =
            int16_t(root(std::max<int64_t>(0, rounded(sums.squares[i], count) - mean * mean)));
        out[(channels + 1) * size + at] = int16_t(root(int64_t(double(sums.costs[i]) / (double(count) * unit / 16))));
      }
    }
  });
  return out;
}

}  // namespace wyner::side
