#include "container/container.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "base/error.h"

namespace wyner::container {
namespace {

constexpr uint8_t kSignature[] = {0x8F, 'W', 'Y', 'N'};
constexpr int kMajor = 1;
constexpr uint8_t kFlagRgb = 1, kFlag16Bit = 2, kFlagAlpha = 4;

[[noreturn]] void unsupported(const std::string& message) { throw Error(ErrorKind::unsupported, message); }

std::string quoted(char type) { return std::string("chunk '") + type + "'"; }

bool is_upper(char type) { return type >= 'A' && type <= 'Z'; }
bool is_letter(char type) { return is_upper(type) || (type >= 'a' && type <= 'z'); }
bool is_defined(char type) { return std::string_view("HADSheix").find(type) != std::string_view::npos; }

constexpr std::array<uint32_t, 256> make_crc_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t value = byte;
    for (int bit = 0; bit < 8; ++bit) value = value & 1 ? value >> 1 ^ 0xEDB88320u : value >> 1;
    table[byte] = value;
  }
  return table;
}
constexpr std::array<uint32_t, 256> kCrcTable = make_crc_table();

// Reads from the front. Asking for more than there is means that the file was cut.
struct Reader {
  Bytes rest;

  Bytes take(uint64_t count) {
    if (count > rest.size()) corrupt("the file is truncated");
    const Bytes taken = rest.first(size_t(count));
    rest = rest.subspan(size_t(count));
    return taken;
  }

  uint8_t byte() { return take(1)[0]; }

  uint32_t varint() {
    uint64_t value = 0;
    for (int index = 0; index < 5; ++index) {
      const uint8_t b = byte();
      value |= uint64_t(b & 0x7F) << (7 * index);
      if (b >= 0x80) continue;
      if ((b == 0 && index > 0) || value >> 32) break;
      return uint32_t(value);
    }
    corrupt("a number is not in its canonical form");
  }
};

// Checks the signature and the version; returns the minor version.
int check_preamble(Reader& in) {
  const Bytes start = in.rest.first(std::min(in.rest.size(), sizeof kSignature));
  if (!std::equal(start.begin(), start.end(), kSignature)) corrupt("this is not a .wyn file");
  in.take(sizeof kSignature);
  const int version = in.byte();
  if (version >> 4 != kMajor)
    unsupported("the file has format version " + std::to_string(version >> 4) + "; this decoder reads 1.x");
  return version & 15;
}

// The chunk at the front, its checksum verified.
Chunk next_chunk(Reader& in) {
  const Bytes from = in.rest;
  const char type = char(in.byte());
  if (!is_letter(type)) corrupt("the file is damaged: no chunk where one must be");
  const Bytes payload = in.take(in.varint());
  const Bytes covered = from.first(from.size() - in.rest.size());
  const Bytes stored = in.take(4);
  const uint32_t crc = uint32_t(stored[0]) << 24 | stored[1] << 16 | stored[2] << 8 | stored[3];
  if (crc32(covered) != crc) corrupt("the file is damaged: " + quoted(type) + " has a wrong checksum");
  return {type, payload};
}

void check_size(uint64_t width, uint64_t height, const Limits& limits) {
  if (std::max(width, height) > limits.side)
    throw Error(ErrorKind::limit, "a side has more than " + std::to_string(limits.side) + " pixels");
  if (width * height > limits.pixels)  // both are below 2^32
    throw Error(ErrorKind::limit, "the picture has more than " + std::to_string(limits.pixels) + " pixels");
}

Header parse_header(Bytes payload, const Limits& limits) {
  Reader in{payload};
  Header header{};
  header.width = in.varint();
  header.height = in.varint();
  if (in.rest.size() != 3 || header.width == 0 || header.height == 0) corrupt("the header is malformed");
  const uint8_t flags = in.byte();
  if (flags & ~(kFlagRgb | kFlag16Bit | kFlagAlpha))
    unsupported("the header has flags that this decoder does not know");
  check_size(header.width, header.height, limits);
  header.channels = flags & kFlagRgb ? 3 : 1;
  header.bit_depth = flags & kFlag16Bit ? 16 : 8;
  header.has_alpha = flags & kFlagAlpha;
  header.codec = in.byte();
  header.codec_version = in.byte();
  return header;
}

void check_metadata(Bytes chunk, const Limits& limits) {
  if (chunk.size() > 1 && chunk[0] == 1) return;  // compressed: for whoever inflates it
  if (!chunk.empty() && chunk[0] > 1) unsupported("metadata is compressed by a method that is not known");
  if (chunk.size() < 2) corrupt("a metadata chunk is empty");
  if (chunk.size() - 1 > limits.metadata_bytes)
    throw Error(ErrorKind::limit, "metadata is larger than the limit");
}

// The rules that need the whole file.
void check_whole(const File& file, const Limits& limits) {
  if ((file.find('A').data() != nullptr) != file.header.has_alpha)
    corrupt("the header and the alpha chunk do not agree");
  for (const char type : {'h', 'S'})
    if (const Bytes hash = file.find(type); hash.data() && hash.size() != kHashBytes)
      corrupt(quoted(type) + " must have 16 bytes");
  for (const char type : {'e', 'i', 'x'})
    if (const Bytes stored = file.find(type); stored.data()) check_metadata(stored, limits);
}

}  // namespace

Bytes File::find(char type) const {
  for (const Chunk& chunk : chunks)
    if (chunk.type == type) return chunk.payload;
  return {};
}

File parse(Bytes data, const Limits& limits) {
  Reader in{data};
  File file{};
  file.minor = check_preamble(in);
  uint64_t seen = 0;  // one bit for each defined type: find() would make a file of many chunks slow
  do {
    const Chunk chunk = next_chunk(in);
    const bool first = file.chunks.empty();
    if (first && chunk.type == 'M') unsupported("the file holds a set of pictures, which this decoder does not read");
    if ((chunk.type == 'H') != first) corrupt("the header chunk must be the first and only one");
    if (is_defined(chunk.type)) {
      const uint64_t bit = uint64_t{1} << (chunk.type - 'A');
      if (seen & bit) corrupt(quoted(chunk.type) + " appears twice");
      seen |= bit;
    } else if (is_upper(chunk.type)) {
      unsupported("the file needs a feature (" + quoted(chunk.type) + ") that this decoder does not know");
    }
    if (first) file.header = parse_header(chunk.payload, limits);
    file.chunks.push_back(chunk);
  } while (file.chunks.back().type != 'D');
  if (!in.rest.empty()) corrupt(std::to_string(in.rest.size()) + " bytes follow the end of the file");
  check_whole(file, limits);
  return file;
}

uint32_t crc32(Bytes data) {
  uint32_t value = 0xFFFFFFFFu;
  for (const uint8_t byte : data) value = value >> 8 ^ kCrcTable[(value ^ byte) & 0xFF];
  return ~value;
}

}  // namespace wyner::container
