// The bytes around a picture's streams, and how it is cut into tiles (docs/spec/lossless.md, section 7).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "coder/distribution.h"

namespace wyner::lossless {

enum class Colours : uint8_t { ycocg, as_they_are };

constexpr int kMaxSide = 1 << 20;
constexpr int kMaxStreams = 8;  // of a tile

struct Tile {
  int left, top, width, height;
};

// Row by row, all about alike and at most kTileSide wide and high.
std::vector<Tile> tiles_of(int width, int height);
int streams_of(const Tile& tile);

struct Payload {
  Colours colours;
  std::array<Alphabet, 3> ranges;
  std::vector<std::span<const uint8_t>> streams;  // of all tiles; not looked at by write()
};

std::vector<uint8_t> write(const Payload& payload, const std::vector<std::vector<uint8_t>>& streams, int channels);

// What it returns points into `data`, and its ranges can be coded and are those of differences of samples. Throws
// Error (corrupt).
Payload read(const uint8_t* data, size_t size, size_t streams, int channels, int maxval);

}  // namespace wyner::lossless
