// Whole files: the container parser, and decoding of the small pictures that it accepts.
// Input: a .wyn file. native/fuzz/make_seeds.py writes a few to begin with.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "container/container.h"
#include "wyner/decode.h"

using namespace wyner::container;

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

constexpr size_t kPreamble = 5, kCrcBytes = 4;
constexpr uint32_t kMaxSide = 64;

// Makes the checksums right as far as chunks can be told, which no mutation would find by luck.
static void repair(uint8_t* data, size_t size) {
  size_t at = kPreamble;
  while (at < size) {
    const size_t start = at++;
    uint64_t length = 0;
    for (int shift = 0; at < size && shift < 35; shift += 7) {
      length |= uint64_t(data[at] & 0x7F) << shift;
      if (data[at++] < 0x80) break;
    }
    if (size - at < kCrcBytes || length > size - at - kCrcBytes) return;
    at += size_t(length);
    const uint32_t crc = crc32({data + start, at - start});
    for (int shift = 24; shift >= 0; shift -= 8) data[at++] = uint8_t(crc >> shift);
  }
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  size = LLVMFuzzerMutate(data, size, max_size);
  if (seed % 16) repair(data, size);
  return size;
}

static void require(bool holds) {
  if (!holds) std::abort();
}

// Chunks follow one another from the preamble to the end of the file.
static void check_chunks(const File& file, const uint8_t* data, size_t size) {
  const uint8_t* at = data + kPreamble;
  for (const Chunk& chunk : file.chunks) {
    const ptrdiff_t before = chunk.payload.data() - at;
    require(*at == uint8_t(chunk.type) && before >= 2 && before <= 6);
    at = chunk.payload.data() + chunk.payload.size() + kCrcBytes;
  }
  require(at == data + size);
}

static void check_decoding(const uint8_t* data, size_t size) {
  wyner_file_info info;
  require(wyner_info(data, size, nullptr, &info) == WYNER_OK);
  std::vector<uint8_t> samples(info.samples_size), alpha(info.alpha_size);
  const auto decode = [&](int threads) {
    return wyner_decode_memory(data, size, nullptr, threads, samples.data(), samples.size(),
                               alpha.empty() ? nullptr : alpha.data(), alpha.size());
  };
  const wyner_status status = decode(1);
  const bool refused = status == WYNER_CORRUPT || status == WYNER_UNSUPPORTED || status == WYNER_SIDE_IMAGE;
  require(status == WYNER_OK || refused);
  const std::vector<uint8_t> first = samples, first_alpha = alpha;
  require(decode(2) == status);
  require(refused || (samples == first && alpha == first_alpha));
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const File file = parse({data, size}, Limits());
    check_chunks(file, data, size);
    if (std::max(file.header.width, file.header.height) > kMaxSide) return 0;
  } catch (const wyner::Error& error) {
    require(error.kind != wyner::ErrorKind::argument);
    wyner_file_info info;
    require(wyner_info(data, size, nullptr, &info) != WYNER_OK);
    return 0;
  }
  check_decoding(data, size);
  return 0;
}
