#include "overfit/side_inputs.h"

#include <cstdlib>

namespace wyner::overfit {

namespace {

constexpr int kMiddle = 8192;         // mid-grey in Q10: what luma is counted from
constexpr int kUnknown = 2048;        // context of a latent where nothing is known
constexpr int kRadius[] = {1, 2, 5};  // of the box means of luma

// s / n to nearest, halves up; n > 0.
int32_t mean_of(int32_t s, int32_t n) {
  const int32_t a = 2 * s + n, b = 2 * n;
  return a >= 0 ? a / b : -((b - 1 - a) / b);
}

// Planes of one size, and which of their samples are known.
struct Level {
  std::vector<Plane> colours;  // Y less mid-grey, Co, Cg in Q10; Y alone for grey pictures
  Plane valid;

  Level(int width, int height, int count) : colours(count, Plane(width, height)), valid(width, height) {}
};

template <class Sample>
Level read_picture(const Sample* p, const uint8_t* valid, const Picture& picture) {
  Level out(picture.width, picture.height, picture.channels);
  const int half = picture.maxval / 2;
  const auto scaled = [&](Sample v) { return (int32_t(v) * 16384 + half) / picture.maxval; };
  for (size_t i = 0; i < out.valid.size(); ++i, p += picture.channels) {
    if (!valid[i]) continue;
    out.valid.data[i] = 1;
    const int32_t r = scaled(p[0]);
    if (picture.channels == 1) {
      out.colours[0].data[i] = int16_t(r - kMiddle);
      continue;
    }
    const int32_t g = scaled(p[1]), b = scaled(p[2]);
    out.colours[0].data[i] = int16_t(((r + 2 * g + b + 2) >> 2) - kMiddle);
    out.colours[1].data[i] = int16_t((r - b + 1) >> 1);
    out.colours[2].data[i] = int16_t((2 * g - r - b + 2) >> 2);
  }
  return out;
}

// Means of the known samples of 2x2.
Level half_size(const Level& fine) {
  const int width = fine.valid.width, height = fine.valid.height;
  Level out((width + 1) / 2, (height + 1) / 2, int(fine.colours.size()));
  for (int y = 0; y < out.valid.height; ++y)
    for (int x = 0; x < out.valid.width; ++x) {
      const int rows = std::min(2, height - 2 * y), columns = std::min(2, width - 2 * x);
      const auto sum = [&](const Plane& plane) {
        int32_t s = 0;
        for (int dy = 0; dy < rows; ++dy)
          for (int dx = 0; dx < columns; ++dx) s += plane.row(2 * y + dy)[2 * x + dx];
        return s;
      };
      const int32_t n = sum(fine.valid);
      if (!n) continue;
      out.valid.row(y)[x] = 1;  // samples that are not known are 0 and add nothing
      for (size_t c = 0; c < out.colours.size(); ++c) out.colours[c].row(y)[x] = int16_t(mean_of(sum(fine.colours[c]), n));
    }
  return out;
}

// Where nothing is known, the sample of the next coarser level.
void fill(Level& fine, const Level& coarse) {
  for (int y = 0; y < fine.valid.height; ++y)
    for (int x = 0; x < fine.valid.width; ++x) {
      if (fine.valid.row(y)[x]) continue;
      for (size_t c = 0; c < fine.colours.size(); ++c) fine.colours[c].row(y)[x] = coarse.colours[c].row(y / 2)[x / 2];
    }
}

// Down to a single sample, and at least kMaxGrids levels.
std::vector<Level> filled_pyramid(Level picture) {
  std::vector<Level> levels;
  levels.push_back(std::move(picture));
  const auto single = [](const Plane& plane) { return plane.width == 1 && plane.height == 1; };
  while (int(levels.size()) < kMaxGrids || !single(levels.back().valid)) levels.push_back(half_size(levels.back()));
  for (size_t i = levels.size() - 1; i-- > 0;) fill(levels[i], levels[i + 1]);
  return levels;
}

// rshift(s, 4) with s the 3x3 sums, weighted 1 2 1 both ways, of value(samples), coordinates clamped.
template <class Value>
Plane smoothed(const Plane& in, Value value) {
  Plane out(in.width, in.height);
  std::vector<int32_t> sums(in.width + 2);
  int32_t* v = sums.data() + 1;
  for (int y = 0; y < in.height; ++y) {
    const int16_t *a = in.row(std::max(y - 1, 0)), *b = in.row(y), *c = in.row(std::min(y + 1, in.height - 1));
    for (int x = 0; x < in.width; ++x) v[x] = value(a[x]) + 2 * value(b[x]) + value(c[x]);
    v[-1] = v[0];
    v[in.width] = v[in.width - 1];
    int16_t* o = out.row(y);
    for (int x = 0; x < in.width; ++x) o[x] = int16_t(rshift(v[x - 1] + 2 * v[x] + v[x + 1], 4));
  }
  return out;
}

// Detail of luma, its smoothed magnitude, luma, and where nothing is known.
std::vector<Plane> contexts_of(const Level& level) {
  const Plane& luma = level.colours[0];
  Plane detail = smoothed(luma, [](int32_t v) { return v; });
  Plane unknown(luma.width, luma.height);
  for (size_t i = 0; i < luma.size(); ++i) {
    const bool known = level.valid.data[i];
    detail.data[i] = known ? int16_t(luma.data[i] - detail.data[i]) : 0;
    unknown.data[i] = known ? 0 : kUnknown;
  }
  Plane magnitude = smoothed(detail, [](int32_t v) { return std::abs(v); });
  return {std::move(detail), std::move(magnitude), luma, std::move(unknown)};
}

// Running sums of 2 radius + 1 entries of n, which lie `step` apart, ends repeated.
template <class In, class Put>
void box(const In* in, int n, ptrdiff_t step, int radius, Put put) {
  const auto at = [&](int i) { return int32_t(in[std::clamp(i, 0, n - 1) * step]); };
  int32_t sum = 0;
  for (int i = -radius; i <= radius; ++i) sum += at(i);
  for (int i = 0; i < n; ++i) {
    put(i, sum);
    sum += at(i + radius + 1) - at(i - radius);
  }
}

Plane box_mean(const Plane& in, int radius) {
  Plane out(in.width, in.height);
  const int area = (2 * radius + 1) * (2 * radius + 1);
  // Sums down columns are kept for all columns at once, so that memory is read row by row.
  std::vector<int32_t> sums(in.width);
  const auto add = [&](int y, int sign) {
    const int16_t* row = in.row(std::clamp(y, 0, in.height - 1));
    for (int x = 0; x < in.width; ++x) sums[x] += sign * row[x];
  };
  for (int y = -radius; y <= radius; ++y) add(y, 1);
  for (int y = 0; y < in.height; ++y) {
    int16_t* row = out.row(y);
    box(sums.data(), in.width, 1, radius, [&](int x, int32_t s) { row[x] = int16_t(mean_of(s, area)); });
    add(y + radius + 1, 1);
    add(y - radius, -1);
  }
  return out;
}

// The colours, and luma smoothed in three ways, from which a network can tell detail that it trusts less.
std::vector<Plane> planes_of(const Level& level) {
  std::vector<Plane> out = level.colours;
  out.resize(3, Plane(level.valid.width, level.valid.height));
  for (int radius : kRadius) out.push_back(box_mean(level.colours[0], radius));
  return out;
}

// Latents of grid `from` at the positions of a grid of some size, `dx` columns further; 0 where there are none.
Plane shifted(const Plane& from, int width, int height, int dx, int bits) {
  Plane out(width, height);
  for (int y = 0; y < std::min(height, from.height); ++y)
    for (int x = std::max(0, -dx); x < std::min(width, from.width - dx); ++x)
      out.row(y)[x] = to_bits(from.row(y)[x + dx], 0, bits);
  return out;
}

Plane sums_around(const Plane& q) {
  Plane out(q.width, q.height);
  for (int y = 0; y < q.height; ++y)
    for (int x = 0; x < q.width; ++x) {
      int32_t s = 0;
      for (int dy = -1; dy <= 1; ++dy)
        for (int dx = -1; dx <= 1; ++dx)
          s += (2 - std::abs(dy)) * (2 - std::abs(dx)) *
               std::abs(q.row(std::clamp(y + dy, 0, q.height - 1))[std::clamp(x + dx, 0, q.width - 1)]);
      out.row(y)[x] = int16_t(std::min(s, 32767));
    }
  return out;
}

}  // namespace

SideInputs side_of_picture(const void* samples, const uint8_t* valid, const Picture& picture, bool planes) {
  std::vector<Level> levels = filled_pyramid(picture.maxval > 255
                                                 ? read_picture(static_cast<const uint16_t*>(samples), valid, picture)
                                                 : read_picture(static_cast<const uint8_t*>(samples), valid, picture));
  SideInputs side;
  side.extras.arm = kSideContexts;
  for (int i = 0; i < kMaxGrids; ++i) side.contexts.push_back(contexts_of(levels[i]));
  if (!planes) return side;
  side.extras.syn = kSidePlanes;
  side.planes = planes_of(levels[0]);
  return side;
}

SideInputs side_of_latents(const std::vector<Plane>& latents, int width, int height) {
  SideInputs side;
  side.extras.arm = kSideContexts;
  side.context_bits = kSideLatentBits;
  for (int i = 0; i < kMaxGrids; ++i) {
    const int w = grid_size(width, i), h = grid_size(height, i);
    if (i >= int(latents.size())) {
      side.contexts.emplace_back(kSideContexts, Plane(w, h));
      continue;
    }
    const Plane& q = latents[i];
    side.contexts.push_back({shifted(q, w, h, 0, kSideLatentBits), shifted(sums_around(q), w, h, 0, 0),
                             shifted(q, w, h, -1, kSideLatentBits), shifted(q, w, h, 1, kSideLatentBits)});
  }
  return side;
}

}  // namespace wyner::overfit
