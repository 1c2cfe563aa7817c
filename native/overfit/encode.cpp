#include "overfit/codec.h"
#include "overfit/stream.h"

namespace wyner::overfit {

namespace {

void check(const Network& net) {
  check_header(net.header, ErrorKind::argument);
  check_params(net, ErrorKind::argument);
  check_arm_bounds(net, ErrorKind::argument);
  check_render_bounds(net, ErrorKind::argument);
}

// The shared walk is written for a decoder, which fills the parameters and planes; hence copies here.
template <class Coder, class Begin, class Done>
void walk(Coder& coder, Network net, const SideInputs& side, std::vector<Plane> latents, Begin begin, Done done) {
  check(net);
  code_header(coder, net.header);
  code_params(coder, net);
  begin();
  code_latents(coder, net, side, latents, done);
}

}  // namespace

std::vector<uint8_t> encode_payload(const Network& net, const std::vector<Plane>& latents, const SideInputs& side) {
  SymbolEncoder coder;
  walk(coder, net, side, latents, [] {}, [](int) {});
  return coder.finish();
}

std::vector<uint8_t> encode_networks(const Network& net) {
  SymbolEncoder coder;
  Network copy = net;
  check(copy);
  code_header(coder, copy.header);
  code_params(coder, copy);
  return coder.finish();
}

std::vector<uint8_t> encode_member(const Network& base, const Network& net, const std::vector<Plane>& latents) {
  SymbolEncoder coder;
  Network own = net;
  check(own);
  const Header &a = base.header, &b = net.header;
  if (a.model != b.model || a.grids != b.grids) throw Error(ErrorKind::argument, "the networks are of another model");
  const bool differs = a.fa != b.fa || a.fu != b.fu || a.k != b.k || base.params != net.params;
  coder.bits(1, differs);
  if (differs) code_own_networks(coder, base, own);
  std::vector<Plane> copy = latents;
  code_latents(coder, net, {}, copy, [](int) {});
  return coder.finish();
}

Bits count_bits(const Network& net, const std::vector<Plane>& latents, const SideInputs& side) {
  Bits bits{0, std::vector<double>(latents.size())};
  SymbolCost coder;
  walk(coder, net, side, latents, [&] { bits.network = coder.take(); },
       [&](int i) { bits.grids[i] = coder.take(); });
  return bits;
}

}  // namespace wyner::overfit
