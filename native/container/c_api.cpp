// The part of include/wyner/decode.h that works on files.
#include <algorithm>
#include <limits>
#include <vector>

#include "base/c_status.h"
#include "container/container.h"
#include "container/pixel_hash.h"
#include "overfit/codec.h"
#include "plane/plane.h"

using namespace wyner::container;
using wyner::guarded;

namespace {

constexpr int kOverfit = 1, kOverfitVersion = 1, kInSets = 6;

Limits checked_limits(const wyner_limits* given) {
  Limits own;
  if (given) own.pixels = given->max_pixels, own.side = given->max_side, own.macs = given->max_macs;
  own.side = std::min<uint64_t>(own.side, wyner::overfit::kMaxSide);
  // What is larger could not be addressed, with 3 samples of 2 bytes; it matters where size_t has 32 bits.
  own.pixels = std::min<uint64_t>(own.pixels, std::numeric_limits<size_t>::max() / 6);
  return own;
}

File parse_file(const void* file, size_t size, const Limits& limits) {
  return parse({static_cast<const uint8_t*>(file), size}, limits);
}

int maxval(const Header& header) { return header.bit_depth == 8 ? 255 : 65535; }

size_t plane_size(const Header& header) {
  return size_t(header.width) * header.height * (header.bit_depth / 8);
}

wyner_bytes to_c(Bytes bytes) { return {bytes.data(), bytes.size()}; }

wyner_file_info describe(const File& file) {
  const Header& header = file.header;
  wyner_file_info info{};
  info.width = header.width;
  info.height = header.height;
  info.channels = header.channels;
  info.maxval = maxval(header);
  info.codec = header.codec;
  info.codec_version = header.codec_version;
  info.samples_size = plane_size(header) * header.channels;
  info.alpha_size = header.has_alpha ? plane_size(header) : 0;
  info.needs_side = file.find('S').data() != nullptr;
  info.icc = to_c(file.find('i'));
  info.exif = to_c(file.find('e'));
  info.xmp = to_c(file.find('x'));
  info.pixel_hash = to_c(file.find('h'));
  return info;
}

void check_macs(const File& file, const Limits& limits) {
  const Bytes payload = file.find('D');
  const double pixels = double(file.header.width) * double(file.header.height);
  if (wyner::overfit::macs_per_pixel(payload.data(), payload.size()) * pixels > double(limits.macs))
    throw wyner::Error(wyner::ErrorKind::limit, "decoding takes more multiply-accumulates than the limit");
}

void decode_colour(const File& file, int threads, void* samples) {
  const Header& header = file.header;
  const wyner::overfit::Picture picture = {int(header.width), int(header.height), header.channels,
                                           maxval(header)};
  const Bytes payload = file.find('D');
  auto decoded = wyner::overfit::decode_payload(payload.data(), payload.size(), picture.width,
                                                picture.height);
  render(decoded.network, std::move(decoded.latents), picture, threads, samples);
}

void decode_alpha(const File& file, void* alpha) {
  const Header& header = file.header;
  const Bytes coded = file.find('A');
  if (header.bit_depth == 16) {
    wyner::plane_decode(coded.data(), coded.size(), header.width, header.height, 65535,
                        static_cast<uint16_t*>(alpha));
    return;
  }
  std::vector<uint16_t> wide(plane_size(header));
  wyner::plane_decode(coded.data(), coded.size(), header.width, header.height, 255, wide.data());
  std::copy(wide.begin(), wide.end(), static_cast<uint8_t*>(alpha));
}

}  // namespace

extern "C" wyner_status wyner_info(const void* file, size_t size, const wyner_limits* limits,
                                   wyner_file_info* info) {
  return guarded([&] {
    if (!info || (size && !file)) return WYNER_ARGUMENT;
    *info = describe(parse_file(file, size, checked_limits(limits)));
    return WYNER_OK;
  });
}

extern "C" wyner_status wyner_decode_memory(const void* file, size_t size, const wyner_limits* limits,
                                            int threads, void* samples, size_t samples_size, void* alpha,
                                            size_t alpha_size) {
  return guarded([&] {
    if (!samples || threads < 1 || (size && !file)) return WYNER_ARGUMENT;
    const Limits allowed = checked_limits(limits);
    const File parts = parse_file(file, size, allowed);
    const wyner_file_info info = describe(parts);
    if (info.needs_side) return WYNER_SIDE_IMAGE;
    if (info.codec == kInSets) wyner::corrupt("a picture of a set stands alone");
    if (info.codec != kOverfit || info.codec_version != kOverfitVersion) return WYNER_UNSUPPORTED;
    if (samples_size < info.samples_size || (alpha && alpha_size < info.alpha_size)) return WYNER_ARGUMENT;
    check_macs(parts, allowed);
    decode_colour(parts, threads, samples);
    if (alpha && info.alpha_size) decode_alpha(parts, alpha);
    return WYNER_OK;
  });
}

extern "C" wyner_status wyner_check_hash(const void* file, size_t size, const wyner_limits* limits,
                                         const void* samples, size_t samples_size, const void* alpha,
                                         size_t alpha_size) {
  return guarded([&] {
    if (!samples || (size && !file)) return WYNER_ARGUMENT;
    const File parts = parse_file(file, size, checked_limits(limits));
    const wyner_file_info info = describe(parts);
    if (!info.pixel_hash.data) return WYNER_OK;
    if (samples_size < info.samples_size || alpha_size < info.alpha_size || (info.alpha_size && !alpha))
      return WYNER_ARGUMENT;
    const Bytes stored = parts.find('h');
    const auto found = pixel_hash(parts.header, samples, alpha);
    return std::equal(found.begin(), found.end(), stored.begin(), stored.end()) ? WYNER_OK : WYNER_CORRUPT;
  });
}
