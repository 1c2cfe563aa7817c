// Whole files: the container parser, decoding of the small pictures that it accepts under a limit of
// multiply-accumulates or without, and the pixel hash of what comes out.
// Input: a .wyn file. native/fuzz/make_seeds.py writes a few to begin with.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "container/container.h"
#include "container/pixel_hash.h"
#include "wyner/decode.h"

using namespace wyner::container;

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

constexpr size_t kPreamble = 5, kCrcBytes = 4;
constexpr uint32_t kMaxSide = 64;
constexpr int kShared = 6;  // the codec of pictures in sets
constexpr uint64_t kLeastMacs = 100, kMostMacs = 4096;  // per pixel, of any model

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

// The file's hash, if any, is accepted if and only if it is that of the samples, and of no others.
static void check_hash(const File& file, const uint8_t* data, size_t size, std::vector<uint8_t> samples,
                       const std::vector<uint8_t>& alpha) {
  const auto status = [&] {
    return wyner_check_hash(data, size, nullptr, samples.data(), samples.size(), alpha.data(), alpha.size());
  };
  const Bytes stored = file.find('h');
  const auto right = pixel_hash(file.header, samples.data(), alpha.data());
  const bool agrees = !stored.data() || std::equal(right.begin(), right.end(), stored.begin(), stored.end());
  require(status() == (agrees ? WYNER_OK : WYNER_CORRUPT));
  if (!stored.data() || !agrees) return;
  samples[samples.size() / 2] ^= 1;
  require(status() == WYNER_CORRUPT);
}

static void check_decoding(const File& file, const uint8_t* data, size_t size) {
  wyner_file_info info;
  require(wyner_info(data, size, nullptr, &info) == WYNER_OK);
  std::vector<uint8_t> samples(info.samples_size), alpha(info.alpha_size);
  const auto decode = [&](uint64_t macs_per_pixel, int threads) {
    wyner_limits limits = WYNER_DEFAULT_LIMITS;
    limits.max_macs = macs_per_pixel * info.width * info.height;
    return wyner_decode_memory(data, size, &limits, threads, samples.data(), samples.size(),
                               alpha.empty() ? nullptr : alpha.data(), alpha.size());
  };
  const wyner_status status = decode(kMostMacs, 1);
  const bool foreign = status == WYNER_UNSUPPORTED || status == WYNER_SIDE_IMAGE;
  require(status == WYNER_OK || status == WYNER_CORRUPT || foreign);
  const std::vector<uint8_t> first = samples, first_alpha = alpha;
  require(decode(kMostMacs, 2) == status);
  if (status == WYNER_OK) {
    require(samples == first && alpha == first_alpha);
    check_hash(file, data, size, samples, alpha);
  }
  const wyner_status limited = decode(kLeastMacs, 1);
  // A picture of a set alone is corrupt by its header, which comes before limits.
  require(limited == WYNER_LIMIT || ((foreign || info.codec == kShared) && limited == status));
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  File file{};
  try {
    file = parse({data, size}, Limits());
  } catch (const wyner::Error& error) {
    require(error.kind != wyner::ErrorKind::argument);
    wyner_file_info info;
    require(wyner_info(data, size, nullptr, &info) != WYNER_OK);
    return 0;
  }
  check_chunks(file, data, size);
  if (std::max(file.header.width, file.header.height) <= kMaxSide) check_decoding(file, data, size);
  return 0;
}
