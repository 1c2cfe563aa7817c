// Networks of a set and the payload of a picture, both arbitrary bytes. What decodes must survive being encoded and
// decoded again, and render alike on any number of threads.
// Input: width, height (a byte each), flags (bit 0: RGB, bit 1: 16 bits), length of the networks (two bytes), networks,
// payload.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <vector>

#include "fuzz/of_bytes.h"
#include "overfit/codec.h"

using namespace wyner::overfit;

struct Taken {
  Network networks;
  Decoded picture;
};

static std::optional<Taken> decoded(const uint8_t* networks, size_t networks_size, const uint8_t* payload, size_t size,
                                    const Picture& p) {
  try {
    Network net = decode_networks(networks, networks_size);
    Decoded picture = decode_member(net, payload, size, p.width, p.height);
    return Taken{std::move(net), std::move(picture)};
  } catch (const wyner::Error& error) {
    require_of_bytes(error);
    return std::nullopt;
  }
}

// An encoder's output must decode: an Error from here is a finding.
static void check_again(Taken& taken, const Picture& p) {
  const std::vector<uint8_t> coded_net = encode_networks(taken.networks);
  const Network again = decode_networks(coded_net.data(), coded_net.size());
  if (again.params != taken.networks.params) std::abort();
  Decoded& first = taken.picture;
  const std::vector<uint8_t> coded = encode_member(again, first.network, first.latents);
  Decoded second = decode_member(again, coded.data(), coded.size(), p.width, p.height);
  if (first.network.params != second.network.params) std::abort();
  for (size_t i = 0; i < first.latents.size(); ++i)
    if (first.latents[i].data != second.latents[i].data) std::abort();
  const size_t bytes = size_t(p.width) * p.height * p.channels * (p.maxval > 255 ? 2 : 1);
  std::vector<uint16_t> one(bytes / 2 + 1), three(bytes / 2 + 1);
  render(first.network, std::move(first.latents), p, 1, one.data());
  render(second.network, std::move(second.latents), p, 3, three.data());
  if (one != three) std::abort();
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 5) return 0;
  const Picture p = {data[0] % 96 + 1, data[1] % 96 + 1, data[2] & 1 ? 3 : 1, data[2] & 2 ? 65535 : 255};
  const size_t networks = std::min(size - 5, size_t(data[3] | data[4] << 8));
  data += 5, size -= 5;
  if (auto taken = decoded(data, networks, data + networks, size - networks, p)) check_again(*taken, p);
  return 0;
}
