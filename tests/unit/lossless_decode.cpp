// Decodes data of the lossless codec's network, for test_lossless_isa.py: lossless_decode JOB SAMPLES.
// JOB: 14 numbers of 32 bits, the sizes of the network (7), counts of weights and biases, the picture's width,
// height, channels and maxval, and the bytes of an update, 0 without; then weights of 16 bits, biases of 32, the
// update, and the data of section 7 of docs/spec/lossless.md.
#include <cstring>
#include <fstream>
#include <iterator>
#include <vector>

#include "lossless/codec.h"
#include "lossless/update.h"

using namespace wyner::lossless;

namespace {

template <class T>
std::vector<T> take(const char*& from, size_t count) {
  std::vector<T> values(count);
  std::memcpy(values.data(), from, count * sizeof(T));
  from += count * sizeof(T);
  return values;
}

}  // namespace

int main(int, char** arguments) {
  std::ifstream in(arguments[1], std::ios::binary);
  const std::vector<char> job{std::istreambuf_iterator<char>(in), {}};
  const char* at = job.data();
  const auto n = take<int32_t>(at, 14);
  const Sizes sizes{n[0], n[1], n[2], n[3], {n[4], n[5], n[6]}};
  const auto weights = take<int16_t>(at, size_t(n[7]));
  const auto biases = take<int32_t>(at, size_t(n[8]));
  const auto update = take<uint8_t>(at, size_t(n[13]));
  const Model model = update.empty() ? make_model(sizes, weights, biases)
                                     : updated({sizes, weights, biases}, update.data(), update.size());
  const Shape shape{n[9], n[10], n[11], n[12]};
  std::vector<uint16_t> samples(size_t(shape.width) * shape.height * shape.channels);
  const size_t size = size_t(job.data() + job.size() - at);
  decode(model, reinterpret_cast<const uint8_t*>(at), size, shape, 2, samples.data());
  std::ofstream(arguments[2], std::ios::binary)
      .write(reinterpret_cast<const char*>(samples.data()), std::streamsize(2 * samples.size()));
}
