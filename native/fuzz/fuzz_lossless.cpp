// Lossless decoders, with a small network of random weights, on arbitrary bytes or on damaged pictures of theirs.
// What decodes is encoded again and must come back.
// Input: width, height (a byte each), options (method, depth, colours, damage, update: a bit each), with an update
// its length, a byte, and itself; then the coded data, or what is changed of the data of a picture that is made
// here: pairs of a position and a byte.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "fuzz/of_bytes.h"
#include "lossless/codec.h"
#include "lossless/screen.h"
#include "lossless/update.h"

namespace {

using namespace wyner::lossless;

class Noise {
 public:
  uint32_t next() { return uint32_t((state_ = state_ * 6364136223846793005u + 1442695040888963407u) >> 33); }

 private:
  uint64_t state_ = 1;
};

// Weights so large that values reach their limits, and no larger than a model may have.
const Integers& integers() {
  static const Integers made = [] {
    const Sizes sizes{4, 4, 64, 4, {1, 0, 0}};
    const Counts counts = counts_of(sizes);
    Integers network{sizes, std::vector<int16_t>(counts.weights), std::vector<int32_t>(counts.biases)};
    Noise noise;
    for (auto& w : network.weights) w = int16_t(int(noise.next() % 1201) - 600);
    for (auto& b : network.biases) b = int32_t(noise.next() % 2000001) - 1000000;
    return network;
  }();
  return made;
}

const Model& network() {
  static const Model model = make_model(integers().sizes, integers().weights, integers().biases);
  return model;
}

std::vector<uint8_t> coded(const Model& model, bool drawn, const std::vector<uint16_t>& samples, const Shape& shape) {
  return drawn ? screen_encode(samples.data(), shape) : encode(model, samples.data(), shape, 1);
}

std::vector<uint16_t> decoded(const Model& model, bool drawn, const uint8_t* data, size_t size, const Shape& shape) {
  std::vector<uint16_t> samples(size_t(shape.width) * shape.height * shape.channels);
  if (drawn) screen_decode(data, size, shape, samples.data());
  else decode(model, data, size, shape, 1, samples.data());
  return samples;
}

// A ramp, the same in every row of four, with some noise.
std::vector<uint16_t> picture(const Shape& shape) {
  std::vector<uint16_t> samples(size_t(shape.width) * shape.height * shape.channels);
  Noise noise;
  for (size_t i = 0; i < samples.size(); ++i)
    samples[i] = uint16_t(i % (4 * shape.width) * 8 + (noise.next() % 8 ? 0 : noise.next())) & shape.maxval;
  return samples;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 4) return 0;
  const int options = data[2];
  const bool drawn = options & 1, damage = options & 8, update = options & 16;
  const Shape shape{data[0] % 16 + 1, data[1] % 16 + 1, options & 4 ? 3 : 1, options & 2 ? 65535 : 255};
  data += 3, size -= 3;
  std::vector<uint16_t> samples;
  Model changed;
  if (update) {
    const size_t length = std::min(size_t{data[0]}, size - 1);
    try {
      changed = updated(integers(), data + 1, length);
    } catch (const wyner::Error& error) {
      require_of_bytes(error);
      return 0;
    }
    data += 1 + length, size -= 1 + length;
  }
  const Model& model = update ? changed : network();
  std::vector<uint8_t> input(data, data + size);
  if (damage) {
    input = coded(model, drawn, picture(shape), shape);
    for (size_t i = 0; i + 1 < size && !input.empty(); i += 2) input[data[i] % input.size()] ^= data[i + 1];
  }
  try {
    samples = decoded(model, drawn, input.data(), input.size(), shape);
  } catch (const wyner::Error& error) {
    require_of_bytes(error);
    return 0;
  }
  // An encoder's output must decode: an Error from here on is a finding.
  const std::vector<uint8_t> again = coded(model, drawn, samples, shape);
  if (decoded(model, drawn, again.data(), again.size(), shape) != samples) std::abort();
  return 0;
}
