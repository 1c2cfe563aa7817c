// Binding of the container parser, for the test that compares it with wyner.container.
#include <nanobind/nanobind.h>

#include "bindings/convert.h"
#include "container/container.h"

namespace nb = nanobind;
using namespace nb::literals;
using namespace wyner::container;

namespace {

nb::dict container_parse(const nb::bytes& data, uint64_t max_pixels, uint64_t max_side) {
  const auto* start = static_cast<const uint8_t*>(data.data());
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
}
