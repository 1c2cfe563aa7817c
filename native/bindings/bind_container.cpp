// The C interface and what it is made of, for the tests that compare it with Python.
#include <nanobind/nanobind.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <vector>

#include "base/sha256.h"
#include "bindings/convert.h"
#include "container/container.h"
#include "overfit/codec.h"
#include "wyner/decode.h"

namespace nb = nanobind;
using namespace nb::literals;
using namespace wyner::container;

namespace {

const uint8_t* start_of(const nb::bytes& data) { return static_cast<const uint8_t*>(data.data()); }

nb::bytes sha256(const std::vector<nb::bytes>& parts) {
  wyner::Sha256 hash;
  for (const nb::bytes& part : parts) hash.update({start_of(part), part.size()});
  const wyner::Sha256::Digest digest = hash.finish();
  return nb::bytes(digest.data(), digest.size());
}

double overfit_macs_per_pixel(const nb::bytes& payload) {
  return wyner::overfit::macs_per_pixel(start_of(payload), payload.size());
}

nb::tuple c_decode(const nb::bytes& data, uint64_t max_pixels, uint64_t max_side, uint64_t max_macs, int threads,
                   bool with_alpha, size_t samples_short, size_t alpha_short) {
  const wyner_limits limits = {max_pixels, max_side, max_macs};
  std::vector<uint8_t> samples, alpha;
  wyner_file_info info{};
  wyner_status status = wyner_info(data.data(), data.size(), &limits, &info);
  if (status == WYNER_OK) {
    samples.resize(info.samples_size - std::min(samples_short, info.samples_size));
    if (with_alpha) alpha.resize(info.alpha_size - std::min(alpha_short, info.alpha_size));
    status = wyner_decode_memory(data.data(), data.size(), &limits, threads, samples.data(), samples.size(),
                                 with_alpha && info.alpha_size ? alpha.data() : nullptr, alpha.size());
  }
  return nb::make_tuple(int(status), nb::bytes(samples.data(), samples.size()),
                        nb::bytes(alpha.data(), alpha.size()));
}

int c_check_hash(const nb::bytes& data, const nb::bytes& samples, const nb::bytes& alpha) {
  return wyner_check_hash(data.data(), data.size(), nullptr, samples.data(), samples.size(), alpha.data(),
                          alpha.size());
}

nb::dict container_parse(const nb::bytes& data, uint64_t max_pixels, uint64_t max_side) {
  const uint8_t* start = start_of(data);
  Limits limits;
  limits.pixels = max_pixels;
  limits.side = max_side;
  const File file = parse({start, data.size()}, limits);
  nb::list chunks;
  for (const Chunk& chunk : file.chunks)
    chunks.append(nb::make_tuple(nb::str(&chunk.type, 1), size_t(chunk.payload.data() - start),
                                 chunk.payload.size()));
  const Header& header = file.header;
  nb::dict out;
  out["width"] = header.width;
  out["height"] = header.height;
  out["channels"] = header.channels;
  out["bit_depth"] = header.bit_depth;
  out["has_alpha"] = header.has_alpha;
  out["codec_id"] = header.codec;
  out["codec_version"] = header.codec_version;
  out["minor"] = file.minor;
  out["chunks"] = chunks;
  return out;
}

}  // namespace

void bind_container(nb::module_& m) {
  m.def("container_parse", container_parse, "data"_a, "max_pixels"_a = Limits().pixels,
        "max_side"_a = Limits().side,
        "Take a .wyn file apart with the parser of the C interface: the fields of the header, the minor\n"
        "version, and chunks as (type, offset of the payload, its length). Compressed metadata is not\n"
        "looked into. Raises CorruptError, UnsupportedError or LimitError.");
  m.def("c_decode", c_decode, "data"_a, "max_pixels"_a = Limits().pixels, "max_side"_a = Limits().side,
        "max_macs"_a = Limits().macs, "threads"_a = 1, "with_alpha"_a = true, "samples_short"_a = 0,
        "alpha_short"_a = 0,
        "Decode a .wyn file as a C program does: the status of wyner_info or, where that is 0, of\n"
        "wyner_decode_memory; the samples; the samples of alpha. Nothing is known of samples with another\n"
        "status than 0. with_alpha: or a null pointer is given for it. samples_short, alpha_short: by how many\n"
        "bytes the program's buffers are too small.");
  m.def("c_check_hash", c_check_hash, "data"_a, "samples"_a, "alpha"_a,
        "The status of wyner_check_hash for a file and samples as c_decode returns them.");
  m.def("overfit_macs_per_pixel", overfit_macs_per_pixel, "payload"_a,
        "Multiply-accumulates per pixel of decoding a payload (specification, section 10).");
  m.def("sha256", sha256, "parts"_a, "The SHA-256 of parts one after the other.");
}
