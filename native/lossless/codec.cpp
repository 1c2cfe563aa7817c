#include "lossless/codec.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <utility>

#include "base/error.h"
#include "base/parallel.h"
#include "coder/distribution.h"
#include "lossless/fit.h"
#include "lossless/levels.h"
#include "lossless/payload.h"
#include "lossless/tuning_code.h"

namespace wyner::lossless {
namespace {

// Where the tunings of a tile are looked up.
class Tuned {
 public:
  static constexpr bool kFits = false;
  const Tuning* tuning(int level, int phase, int head) const {
    const Tuning& found = tunings[size_t(level)][size_t(phase)][size_t(head)];
    return found.taps.empty() ? nullptr : &found;
  }

  Tunings tunings;
};

class Encoders : public Tuned {
 public:
  Encoders(int count, std::function<void(size_t)> report) : coders_(size_t(count)), report_(std::move(report)) {}
  void finished(size_t pixels) { report_(pixels); }
  int streams() const { return int(coders_.size()); }
  template <class Cdf>
  int32_t code(int stream, const Cdf& cdf, int32_t value) {
    encode_symbol(coders_[size_t(stream)], cdf, value);
    return value;
  }
  std::vector<uint8_t> finish(int stream) { return coders_[size_t(stream)].finish(); }

 private:
  std::vector<RangeEncoder> coders_;
  std::function<void(size_t)> report_;
};

class Decoders : public Tuned {
 public:
  void add(const uint8_t* data, size_t size) { coders_.emplace_back(data, size); }
  void finished(size_t) {}
  int streams() const { return int(coders_.size()); }
  template <class Cdf>
  int32_t code(int stream, const Cdf& cdf, int32_t) {
    return decode_symbol(coders_[size_t(stream)], cdf);
  }

 private:
  std::vector<RangeDecoder> coders_;
};

// Red, green and blue of a pixel to the three planes and back.
struct Rgb {
  int32_t r, g, b;
};

std::array<int32_t, 3> forward(Colours colours, Rgb p) {
  if (colours == Colours::as_they_are) return {p.g, p.r, p.b};
  const int32_t co = p.r - p.b, t = p.b + (co >> 1), cg = p.g - t;
  return {t + (cg >> 1), co, cg};
}

Rgb backward(Colours colours, int32_t y, int32_t co, int32_t cg) {
  if (colours == Colours::as_they_are) return {co, y, cg};
  const int32_t t = y - (cg >> 1), b = t - (co >> 1);
  return {co + b, cg + t, b};
}

Picture to_planes(const uint16_t* samples, const Shape& shape, Colours colours, const Tile& tile) {
  Picture picture(tile.width, tile.height);
  for (int y = 0; y < tile.height; ++y) {
    const uint16_t* p = samples + (size_t(tile.top + y) * shape.width + tile.left) * shape.channels;
    for (int x = 0; x < tile.width; ++x, p += shape.channels) {
      const auto planes = shape.channels == 1 ? std::array<int32_t, 3>{p[0], 0, 0} : forward(colours, {p[0], p[1], p[2]});
      for (int c = 0; c < kColours; ++c) picture.row(c, y)[x] = planes[size_t(c)];
    }
  }
  return picture;
}

void from_planes(const Picture& picture, const Shape& shape, Colours colours, const Tile& tile, uint16_t* samples) {
  const auto checked = [&](int32_t v) {
    if (v < 0 || v > shape.maxval) corrupt("lossless: a sample is out of range");
    return uint16_t(v);
  };
  for (int y = 0; y < tile.height; ++y) {
    uint16_t* p = samples + (size_t(tile.top + y) * shape.width + tile.left) * shape.channels;
    for (int x = 0; x < tile.width; ++x, p += shape.channels) {
      if (shape.channels == 1) {
        p[0] = checked(picture.row(0, y)[x]);
        continue;
      }
      const Rgb rgb = backward(colours, picture.row(0, y)[x], picture.row(1, y)[x], picture.row(2, y)[x]);
      p[0] = checked(rgb.r), p[1] = checked(rgb.g), p[2] = checked(rgb.b);
    }
  }
}

Ranges ranges_of(const uint16_t* samples, const Shape& shape, Colours colours) {
  Ranges ranges;
  ranges.fill({std::numeric_limits<int32_t>::max(), std::numeric_limits<int32_t>::min()});
  for (size_t i = 0; i < size_t(shape.width) * shape.height; ++i) {
    const uint16_t* p = samples + i * shape.channels;
    const auto planes = shape.channels == 1 ? std::array<int32_t, 3>{p[0], 0, 0} : forward(colours, {p[0], p[1], p[2]});
    for (size_t c = 0; c < kColours; ++c) {
      ranges[c].low = std::min(ranges[c].low, planes[c]);
      ranges[c].high = std::max(ranges[c].high, planes[c]);
    }
  }
  return ranges;
}

bool codable(const Ranges& ranges) {
  return std::all_of(ranges.begin(), ranges.end(), [](const Alphabet& a) { return a.high - a.low < kMaxSymbols; });
}

int depth_of(const Shape& shape) { return shape.maxval > 255 ? 8 : 0; }

}  // namespace

void check(const Shape& s) {
  require(s.width >= 1 && s.height >= 1, "lossless: width and height must be at least 1");
  if (s.width > kMaxSide || s.height > kMaxSide)
    throw Error(ErrorKind::limit, "lossless: pictures of more than 1048576 columns or rows are not coded");
  require((s.channels == 1 || s.channels == 3) && (s.maxval == 255 || s.maxval == 65535),
          "lossless: channels must be 1 or 3, maxval 255 or 65535");
}

std::vector<uint8_t> encode(const Model& model, const uint16_t* samples, const Shape& shape, int threads,
                            const Report& report) {
  check(shape);
  Payload payload;
  payload.colours = Colours::ycocg;
  payload.ranges = ranges_of(samples, shape, payload.colours);
  if (!codable(payload.ranges)) {
    payload.colours = Colours::as_they_are;
    payload.ranges = ranges_of(samples, shape, payload.colours);
  }
  ThreadPool pool(std::min(threads, kMaxThreads));
  std::vector<std::vector<uint8_t>> streams;
  size_t done = 0;
  const double all = double(shape.width) * shape.height;
  for (const Tile& tile : tiles_of(shape.width, shape.height)) {
    Picture picture = to_planes(samples, shape, payload.colours, tile);
    const auto finished = [&](size_t pixels) {
      done += pixels;
      if (report && done) report(double(done) / (2 * all));  // every sample is seen twice
    };
    Encoders coders(streams_of(tile), finished);
    Fitter fitter(coders.streams(), depth_of(shape), finished);
    code_picture(model, picture, payload.ranges, shape.channels, depth_of(shape), pool, fitter);
    coders.tunings = fitter.solve(payload.ranges);
    code_tunings(coders, coders.tunings, shape.channels);
    code_picture(model, picture, payload.ranges, shape.channels, depth_of(shape), pool, coders);
    for (int s = 0; s < coders.streams(); ++s) streams.push_back(coders.finish(s));
  }
  return write(payload, streams, shape.channels);
}

void decode(const Model& model, const uint8_t* data, size_t size, const Shape& shape, int threads, uint16_t* samples) {
  check(shape);
  const std::vector<Tile> tiles = tiles_of(shape.width, shape.height);
  size_t count = 0;
  for (const Tile& tile : tiles) count += size_t(streams_of(tile));
  const Payload payload = read(data, size, count, shape.channels, shape.maxval);
  ThreadPool pool(std::min(threads, kMaxThreads));
  size_t next = 0;
  for (const Tile& tile : tiles) {
    Decoders coders;
    for (int s = 0; s < streams_of(tile); ++s, ++next) coders.add(payload.streams[next].data(), payload.streams[next].size());
    Picture picture(tile.width, tile.height);
    code_tunings(coders, coders.tunings, shape.channels);
    code_picture(model, picture, payload.ranges, shape.channels, depth_of(shape), pool, coders);
    from_planes(picture, shape, payload.colours, tile, samples);
  }
}

}  // namespace wyner::lossless
