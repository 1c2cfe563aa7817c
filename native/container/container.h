// The file around a codec's payload (docs/spec/container.md): taking it apart without copying.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace wyner::container {

using Bytes = std::span<const uint8_t>;

constexpr size_t kHashBytes = 16;

// Section 4.
struct Limits {
  uint64_t pixels = uint64_t{1} << 28;
  uint64_t side = 32768;
  uint64_t metadata_bytes = uint64_t{64} << 20;  // of each of ICC, EXIF and XMP
  uint64_t macs = uint64_t{1} << 43;             // for whoever decodes: parse() does not know codecs
};

struct Header {
  uint32_t width, height;
  int channels;   // 1 or 3
  int bit_depth;  // 8 or 16
  bool has_alpha;
  int codec, codec_version;  // as stored: whether they are known is the caller's question
};

struct Chunk {
  char type;
  Bytes payload;  // a part of the file
};

struct File {
  Header header;
  int minor;                  // minor version of the format
  std::vector<Chunk> chunks;  // in file order, unknown ancillary ones included

  // The payload of the first chunk of this type, or an empty span with a null pointer.
  Bytes find(char type) const;
};

// Takes a file apart; the result points into `data`. Throws Error(corrupt), Error(unsupported) or
// Error(limit), and allocates nothing that the size of `data` does not justify.
// Metadata chunks are checked for their method and stay as stored: what one of method 1 inflates to, and
// whether it does, is not known here.
File parse(Bytes data, const Limits& limits);

// CRC-32 (ISO-HDLC), as in zlib.
uint32_t crc32(Bytes data);

}  // namespace wyner::container
