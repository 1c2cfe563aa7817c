#include "side/fusion.h"

#include <cstdlib>
#include <utility>

#include "base/error.h"
#include "side/fusion_planes.h"

namespace wyner::side {
namespace {

constexpr int kUnknown = 512;  // mismatch of a pixel without a prediction
constexpr int kMeanReach = 5, kFeatureReach = 3, kRegionReach = 24;
constexpr int kMaxGain = 1 << 17;  // sum of a filter's absolute coefficients: times 2^13 it fits 31 bits

void check_filters(const std::vector<int16_t>& filters, size_t taps, size_t classes) {
  if (filters.size() != taps * classes)
    throw Error(ErrorKind::argument, "fusion: not as many coefficients as the classes need");
  for (size_t k = 0; k < classes; ++k) {
    int gain = 0;
    for (size_t i = 0; i < taps; ++i) gain += std::abs(int(filters[k * taps + i]));
    if (gain > kMaxGain) throw Error(ErrorKind::argument, "fusion: a filter's coefficients are too large");
  }
}

// --- planes of a picture (section 1) ---------------------------------------------------------------

template <class Sample>
std::vector<IntPlane> planes(const Picture& picture, int threads) {
  const Sample* samples = static_cast<const Sample*>(picture.samples);
  const auto at = [&, channels = picture.channels](int y, int x, int c) {
    const int64_t v = samples[(size_t(y) * picture.width + x) * channels + c];
    return int32_t((4096 * v + picture.maxval / 2) / picture.maxval);
  };
  const auto make = [&](auto value) { return make_plane(picture.width, picture.height, threads, value); };
  std::vector<IntPlane> found;
  if (picture.channels == 1) {
    found.push_back(make([&](int y, int x) { return at(y, x, 0); }));
    return found;
  }
  found.push_back(make([&](int y, int x) { return (at(y, x, 0) + 2 * at(y, x, 1) + at(y, x, 2) + 2) >> 2; }));
  found.push_back(make([&](int y, int x) { return at(y, x, 0) - at(y, x, 2); }));
  found.push_back(make([&](int y, int x) { return (2 * at(y, x, 1) - at(y, x, 0) - at(y, x, 2)) >> 1; }));
  return found;
}

// --- classes (section 3) ---------------------------------------------------------------------------

struct Seen {  // a view in one plane: its differences to x, and their means
  IntPlane difference, mean;
};

Seen see(const IntPlane& x, const IntPlane& warped, const uint8_t* valid, int threads) {
  IntPlane difference = make_plane(x.width, x.height, threads, [&](int r, int c) {
    return valid[size_t(r) * x.width + c] ? warped.row(r)[c] - x.row(r)[c] : 0;
  });
  IntPlane mean = box(difference, kMeanReach, threads);
  return {std::move(difference), std::move(mean)};
}

IntPlane mismatch(const Seen& luma, const uint8_t* valid, int threads) {
  const IntPlane low = smooth(luma.difference, threads);
  return make_plane(low.width, low.height, threads, [&](int r, int c) {
    return valid[size_t(r) * low.width + c] ? std::abs(low.row(r)[c] - luma.mean.row(r)[c]) : kUnknown;
  });
}

IntPlane detail(const IntPlane& luma, int threads) {
  const IntPlane low = smooth(luma, threads);
  return make_plane(low.width, low.height, threads,
                    [&](int r, int c) { return std::abs(luma.row(r)[c] - low.row(r)[c]); });
}

IntPlane classes(const IntPlane& x, const std::array<Seen, kViews>& luma,
                 const std::array<View, kViews>& views, const Fusion& fusion, int threads) {
  const IntPlane predicted = make_plane(x.width, x.height, threads, [&](int r, int c) {
    return x.row(r)[c] + luma[0].difference.row(r)[c];
  });
  const IntPlane holes = make_plane(x.width, x.height, threads, [&](int r, int c) {
    return views[1].valid[size_t(r) * x.width + c] ? 0 : 256;
  });
  const std::array<IntPlane, kFeatures> features = {
      box(holes, kRegionReach, threads),
      box(mismatch(luma[0], views[0].valid, threads), kFeatureReach, threads),
      box(mismatch(luma[1], views[1].valid, threads), kFeatureReach, threads),
      box(detail(predicted, threads), kFeatureReach, threads)};
  return make_plane(x.width, x.height, threads, [&](int r, int c) {
    int index = 0;
    for (int f = 0; f < kFeatures; ++f) {
      index *= int(fusion.levels[f].size()) + 1;
      for (const int threshold : fusion.levels[f]) index += features[f].row(r)[c] >= threshold;
    }
    return index;
  });
}

// --- filters (section 4) ---------------------------------------------------------------------------

// Rows of a plane around one of its rows, edges repeated.
template <int reach>
class Rows {
 public:
  explicit Rows(int width) : stride_(size_t(width) + 2 * reach), data_(stride_ * kSide) {}

  void load(const IntPlane& plane, int y) {
    for (int i = 0; i < kSide; ++i) {
      const int32_t* from = plane.clamped_row(y + i - reach);
      int32_t* to = data_.data() + stride_ * i;
      std::fill_n(to, reach, from[0]);
      std::copy_n(from, plane.width, to + reach);
      std::fill_n(to + reach + plane.width, reach, from[plane.width - 1]);
    }
  }

  // The sum of the window at column x times the coefficients, which follow one another row by row.
  int32_t apply(int x, const int16_t* coefficients) const {
    int32_t sum = 0;
    for (int i = 0; i < kSide; ++i)
      for (int j = 0; j < kSide; ++j)
        sum += coefficients[kSide * i + j] * data_[stride_ * i + x + j];
    return sum;
  }

 private:
  static constexpr int kSide = 2 * reach + 1;

  size_t stride_;
  std::vector<int32_t> data_;
};

// Of each pixel, the sum of its class's filter. Differences to the middle sample are those of the window less
// that sample times all coefficients, so the middle one is any: here 0.
template <int reach>
IntPlane filtered(const IntPlane& x, const std::array<Seen, kViews>& seen, const IntPlane& chosen,
                  const std::vector<int16_t>& filters, int threads) {
  constexpr int kWindow = (2 * reach + 1) * (2 * reach + 1), kMiddle = kWindow / 2;
  constexpr int kTaps = fusion_taps(reach), kOwn = kViews * (kWindow + 1);
  IntPlane out(x.width, x.height);
  parallel_parts(x.height, threads, [&](int begin, int end) {
    std::array<Rows<reach>, kViews> rows = {Rows<reach>(x.width), Rows<reach>(x.width)};
    Rows<reach> own(x.width);
    for (int y = begin; y < end; ++y) {
      for (int v = 0; v < kViews; ++v) rows[v].load(seen[v].difference, y);
      own.load(x, y);
      for (int c = 0; c < x.width; ++c) {
        const int16_t* filter = filters.data() + size_t(chosen.row(y)[c]) * kTaps;
        int16_t around[kWindow];
        std::copy_n(filter + kOwn, kMiddle, around);
        around[kMiddle] = 0;
        std::copy_n(filter + kOwn + kMiddle, kMiddle, around + kMiddle + 1);
        int32_t weight = 0;
        for (const int16_t a : around) weight += a;
        int32_t sum = 2048 + own.apply(c, around) - weight * x.row(y)[c];
        for (int v = 0; v < kViews; ++v) {
          const int16_t* first = filter + v * (kWindow + 1);
          sum += rows[v].apply(c, first) + first[kWindow] * seen[v].mean.row(y)[c];
        }
        out.row(y)[c] = sum >> 12;
      }
    }
  });
  return out;
}

// --- the picture changed so (section 5) ------------------------------------------------------------

template <class Sample>
void change(const Picture& x, const std::vector<IntPlane>& planes, int threads, Sample* out) {
  const Sample* in = static_cast<const Sample*>(x.samples);
  const auto changed = [&](int64_t sample, int64_t twice) {
    return Sample(std::clamp<int64_t>(sample + ((twice * x.maxval + 4096) >> 13), 0, x.maxval));
  };
  parallel_parts(x.height, threads, [&](int begin, int end) {
    for (int r = begin; r < end; ++r)
      for (int c = 0; c < x.width; ++c) {
        const size_t i = (size_t(r) * x.width + c) * x.channels;
        const int64_t luma = 2 * int64_t{planes[0].row(r)[c]};
        if (x.channels == 1) {
          out[i] = changed(in[i], luma);
          continue;
        }
        const int64_t co = planes[1].row(r)[c], cg = planes[2].row(r)[c];
        out[i] = changed(in[i], luma - cg + co);
        out[i + 1] = changed(in[i + 1], luma + cg);
        out[i + 2] = changed(in[i + 2], luma - cg - co);
      }
  });
}

template <class Sample>
void fuse_as(const Picture& x, const std::array<View, kViews>& views, const Fusion& fusion, int threads,
             Sample* out) {
  const std::vector<IntPlane> own = planes<Sample>(x, threads);
  std::array<std::vector<IntPlane>, kViews> warped;
  for (int v = 0; v < kViews; ++v)
    warped[v] = planes<Sample>({views[v].warped, x.width, x.height, x.channels, x.maxval}, threads);
  std::vector<IntPlane> changes, chosen;
  for (size_t c = 0; c < own.size(); ++c) {
    const std::array<Seen, kViews> seen = {see(own[c], warped[0][c], views[0].valid, threads),
                                           see(own[c], warped[1][c], views[1].valid, threads)};
    if (c == 0) chosen.push_back(classes(own[0], seen, views, fusion, threads));
    changes.push_back(c ? filtered<kChromaReach>(own[c], seen, chosen[0], fusion.chroma, threads)
                        : filtered<kLumaReach>(own[c], seen, chosen[0], fusion.luma, threads));
  }
  change(x, changes, threads, out);
}

}  // namespace

Fusion::Fusion(std::array<std::vector<int>, kFeatures> thresholds, std::vector<int16_t> luma_filters,
               std::vector<int16_t> chroma_filters)
    : levels(std::move(thresholds)), luma(std::move(luma_filters)), chroma(std::move(chroma_filters)) {
  size_t number = 1;
  for (const std::vector<int>& ascending : levels) {
    if (ascending.size() > 15 || !std::is_sorted(ascending.begin(), ascending.end()))
      throw Error(ErrorKind::argument, "fusion: thresholds must ascend and be at most 15");
    number *= ascending.size() + 1;
  }
  check_filters(luma, fusion_taps(kLumaReach), number);
  check_filters(chroma, fusion_taps(kChromaReach), number);
}

int64_t total_detail(const Picture& x) {
  const IntPlane luma =
      std::move((x.maxval == 255 ? planes<uint8_t>(x, 1) : planes<uint16_t>(x, 1)).front());
  int64_t sum = 0;
  for (int r = 0; r < luma.height; ++r)
    for (int c = 0; c < luma.width; ++c) {
      if (c) sum += std::abs(luma.row(r)[c] - luma.row(r)[c - 1]);
      if (r) sum += std::abs(luma.row(r)[c] - luma.row(r - 1)[c]);
    }
  return sum;
}

void fuse(const Picture& x, const std::array<View, kViews>& views, const Fusion& fusion, int threads,
          void* out) {
  if (x.maxval == 255) fuse_as(x, views, fusion, threads, static_cast<uint8_t*>(out));
  else fuse_as(x, views, fusion, threads, static_cast<uint16_t*>(out));
}

}  // namespace wyner::side
