#include "overfit/codec.h"
#include "overfit/stream.h"

namespace wyner::overfit {

void check_picture(const Picture& p) {
  const auto require = [](bool holds, const char* what) {
    if (!holds) throw Error(ErrorKind::argument, what);
  };
  require(p.width >= 1 && p.width <= kMaxSide && p.height >= 1 && p.height <= kMaxSide,
          "width and height must be in 1..131072");
  require(p.channels == 1 || p.channels == 3, "channels must be 1 or 3");
  require(p.maxval == 255 || p.maxval == 65535, "maxval must be 255 or 65535");
}

Decoded decode_payload(const uint8_t* data, size_t size, int width, int height) {
  SymbolDecoder coder(data, size);
  Network net(code_header(coder, Header{}));
  code_params(coder, net);
  check_arm_bounds(net, ErrorKind::corrupt);
  check_render_bounds(net, ErrorKind::corrupt);
  std::vector<Plane> latents = make_grids(width, height, net.header.grids);
  code_latents(coder, net, latents, [](int) {});
  return {std::move(net), std::move(latents)};
}

}  // namespace wyner::overfit
