#include <algorithm>

#include "overfit/codec.h"
#include "overfit/stream.h"

namespace wyner::overfit {

void check_picture(const Picture& p) {
  const auto require = [](bool holds, const char* what) {
    if (!holds) throw Error(ErrorKind::argument, what);
  };
  require(p.width >= 1 && p.height >= 1, "width and height must be at least 1");
  if (p.width > kMaxSide || p.height > kMaxSide)
    throw Error(ErrorKind::limit, "pictures of more than 131072 columns or rows are not coded");
  require(p.channels == 1 || p.channels == 3, "channels must be 1 or 3");
  require(p.maxval == 255 || p.maxval == 65535, "maxval must be 255 or 65535");
}

double macs_per_pixel(const uint8_t* data, size_t size, Extras extras) {
  // The first bits(8) of a fresh range decoder; as it stands here, it may be 256 for a corrupt payload.
  const uint64_t index = RangeDecoder(data, size).code() / (~uint64_t{0} >> 8);
  if (index < uint64_t(model_count())) return macs_per_pixel(model(int(index)), extras);
  double most = 0;
  for (int i = 0; i < model_count(); ++i) most = std::max(most, macs_per_pixel(model(i), extras));
  return most;
}

namespace {

Network read_networks(SymbolDecoder& coder, Extras extras) {
  Network net(code_header(coder, Header{}), extras);
  code_params(coder, net);
  check_arm_bounds(net, ErrorKind::corrupt);
  check_render_bounds(net, ErrorKind::corrupt);
  return net;
}

std::vector<Plane> read_latents(SymbolDecoder& coder, const Network& net, int width, int height,
                                const SideInputs& side) {
  std::vector<Plane> latents = make_grids(width, height, net.header.grids);
  code_latents(coder, net, side, latents, [](int) {});
  return latents;
}

}  // namespace

Decoded decode_payload(const uint8_t* data, size_t size, int width, int height, const SideInputs& side) {
  SymbolDecoder coder(data, size);
  Network net = read_networks(coder, side.extras);
  std::vector<Plane> latents = read_latents(coder, net, width, height, side);
  return {std::move(net), std::move(latents)};
}

Network decode_networks(const uint8_t* data, size_t size) {
  SymbolDecoder coder(data, size);
  return read_networks(coder, {});
}

Decoded decode_member(const Network& base, const uint8_t* data, size_t size, int width, int height) {
  SymbolDecoder coder(data, size);
  Network net = base;
  if (coder.bits(1)) {
    code_own_networks(coder, base, net);
    check_arm_bounds(net, ErrorKind::corrupt);
    check_render_bounds(net, ErrorKind::corrupt);
  }
  std::vector<Plane> latents = read_latents(coder, net, width, height, {});
  return {std::move(net), std::move(latents)};
}

}  // namespace wyner::overfit
