#include "lossless/payload.h"

#include <algorithm>

#include "base/error.h"
#include "coder/varint.h"

namespace wyner::lossless {
namespace {

constexpr int kTileSide = 768;
constexpr int kPixelsPerStream = 1 << 16;

// Signed numbers as 0, -1, 1, -2, ...
uint64_t folded(int32_t v) { return v < 0 ? uint64_t(-int64_t{v}) * 2 - 1 : uint64_t(v) * 2; }

// At most maxval in magnitude, which bounds what the network is given.
int32_t edge(HeaderReader& in, int maxval) {
  const uint64_t v = in.varint();
  if (v > 2 * uint64_t(maxval)) corrupt("lossless: a range is out of range");
  return v % 2 ? -int32_t((v + 1) / 2) : int32_t(v / 2);
}

Alphabet range(HeaderReader& in, int maxval) {
  const int32_t low = edge(in, maxval), high = edge(in, maxval);
  if (high < low || high - low >= kMaxSymbols) corrupt("lossless: a range is out of range");
  return {low, high};
}

}  // namespace

std::vector<Tile> tiles_of(int width, int height) {
  const auto parts = [](int length) { return (length + kTileSide - 1) / kTileSide; };
  const auto begin = [](int length, int count, int i) { return int(int64_t{length} * i / count); };
  const int across = parts(width), down = parts(height);
  std::vector<Tile> tiles;
  for (int j = 0; j < down; ++j)
    for (int i = 0; i < across; ++i) {
      const int left = begin(width, across, i), top = begin(height, down, j);
      tiles.push_back({left, top, begin(width, across, i + 1) - left, begin(height, down, j + 1) - top});
    }
  return tiles;
}

int streams_of(const Tile& tile) { return std::clamp(tile.width * tile.height / kPixelsPerStream, 1, kMaxStreams); }

std::vector<uint8_t> write(const Payload& payload, const std::vector<std::vector<uint8_t>>& streams, int channels) {
  std::vector<uint8_t> out{uint8_t(payload.colours)};
  for (int c = 0; c < channels; ++c) {
    put_varint(out, folded(payload.ranges[size_t(c)].low));
    put_varint(out, folded(payload.ranges[size_t(c)].high));
  }
  for (size_t s = 0; s + 1 < streams.size(); ++s) put_varint(out, streams[s].size());
  for (const auto& stream : streams) out.insert(out.end(), stream.begin(), stream.end());
  return out;
}

Payload read(const uint8_t* data, size_t size, size_t streams, int channels, int maxval) {
  HeaderReader in(data, size);
  Payload payload;
  const uint8_t colours = in.byte();
  if (colours > uint8_t(Colours::as_they_are)) corrupt("lossless: no such colour transform");
  payload.colours = Colours(colours);
  payload.ranges.fill({0, 0});
  for (int c = 0; c < channels; ++c) payload.ranges[size_t(c)] = range(in, maxval);
  if (streams > in.left() + 1) corrupt("lossless: the header ends too early");
  std::vector<size_t> sizes;
  size_t total = 0;
  for (size_t s = 0; s + 1 < streams; ++s) {
    const uint64_t length = in.varint();
    if (length > size - total) corrupt("lossless: a stream is longer than the data");
    sizes.push_back(size_t(length));
    total += size_t(length);
  }
  if (total > in.left()) corrupt("lossless: the streams are longer than the data");
  sizes.push_back(in.left() - total);
  const uint8_t* next = in.next();
  for (size_t length : sizes) {
    payload.streams.emplace_back(next, length);
    next += length;
  }
  return payload;
}

}  // namespace wyner::lossless
