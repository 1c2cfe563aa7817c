#include "lossless/update.h"

#include <algorithm>
#include <cstdlib>

#include "base/error.h"
#include "base/stable_log2.h"
#include "lossless/tuning_code.h"

namespace wyner::lossless {
namespace {

struct Writer {
  template <class Cdf>
  int32_t code(int, const Cdf& cdf, int32_t value) {
    encode_symbol(coder, cdf, value);
    return value;
  }
  RangeEncoder coder;
};

struct Reader {
  template <class Cdf>
  int32_t code(int, const Cdf& cdf, int32_t) {
    return decode_symbol(coder, cdf);
  }
  RangeDecoder coder;
};

// Some of an update's numbers that share a distribution.
struct Row {
  int16_t* numbers;
  int count, limit;

  bool used() const { return std::any_of(numbers, numbers + count, [](int16_t v) { return v != 0; }); }
  ParametricCdf cdf(int scale) const { return {Kind::laplace, 0, uint8_t(scale), {-limit, limit}}; }
};

// Calls visit(row) for every row of an update, in their order; it may change the numbers.
template <class Visit>
void for_rows_of(const Sizes& sizes, int16_t* numbers, Visit visit) {
  const auto next = [&](int count, int limit) {
    visit(Row{numbers, count, limit});
    numbers += count;
  };
  for (const LayerShape& shape : shapes_of(sizes)) {
    next(shape.outputs, kGainLimit);
    next(shape.inputs, kGainLimit);
    for (int row = 0; row < shape.bias_rows; ++row) next(shape.outputs, kBiasLimit);
  }
}

double bits_of(const Row& row, int scale) {
  const ParametricCdf cdf = row.cdf(scale);
  double bits = 0;
  for (int i = 0; i < row.count; ++i)
    bits += kFineBits - double(stable_log2(float(cdf.edge(row.numbers[i] + 1) - cdf.edge(row.numbers[i]))));
  return bits;
}

int best_scale(const Row& row) {
  int best = 0;
  double least = bits_of(row, 0);
  for (int scale = 1; scale < 256; ++scale)
    if (const double bits = bits_of(row, scale); bits < least) least = bits, best = scale;
  return best;
}

template <class Coder>
void code_row_of(Coder& coder, const Row& row, int scale) {
  if (!code_even(coder, {0, 1}, row.used())) return;
  const int coded = code_even(coder, {0, 255}, scale);
  for (int i = 0; i < row.count; ++i) row.numbers[i] = int16_t(coder.code(0, row.cdf(coded), row.numbers[i]));
}

// One row of weights, of one output.
void scale(const LayerShape& shape, int output_gain, const int16_t* input_gains, int16_t* weights) {
  for (int i = 0; i < shape.inputs; ++i)
    for (int t = 0; t < shape.taps; ++t, ++weights) {
      const int change = (*weights * (output_gain + input_gains[i]) + (1 << (kGainBits - 1))) >> kGainBits;
      const int changed = *weights + change;
      if (std::abs(changed) > INT16_MAX) corrupt("lossless: an updated weight is too large");
      *weights = int16_t(changed);
    }
}

void apply(const int16_t* numbers, Integers& network) {
  int16_t* weights = network.weights.data();
  int32_t* biases = network.biases.data();
  for (const LayerShape& shape : shapes_of(network.sizes)) {
    const int16_t *outputs = numbers, *inputs = outputs + shape.outputs;
    for (int o = 0; o < shape.outputs; ++o, weights += shape.inputs * shape.taps)
      scale(shape, outputs[o], inputs, weights);
    numbers = inputs + shape.inputs;
    for (int i = 0; i < shape.bias_rows * shape.outputs; ++i) *biases++ += *numbers++ * (1 << kBiasBits);
  }
}

}  // namespace

size_t update_size(const Sizes& sizes) {
  size_t count = 0;
  for (const LayerShape& shape : shapes_of(sizes))
    count += size_t(shape.outputs) * (1 + shape.bias_rows) + size_t(shape.inputs);
  return count;
}

std::vector<uint8_t> write_update(const Sizes& sizes, std::vector<int16_t> numbers) {
  require(numbers.size() == update_size(sizes), "lossless: an update of these sizes has other numbers");
  Writer writer;
  for_rows_of(sizes, numbers.data(), [&](const Row& row) {
    for (int i = 0; i < row.count; ++i)
      require(std::abs(int(row.numbers[i])) <= row.limit, "lossless: a number of the update is out of range");
    code_row_of(writer, row, row.used() ? best_scale(row) : 0);
  });
  return writer.coder.finish();
}

Model updated(Integers network, const uint8_t* data, size_t size) {
  std::vector<int16_t> numbers(update_size(network.sizes), 0);
  Reader reader{{data, size}};
  for_rows_of(network.sizes, numbers.data(), [&](const Row& row) { code_row_of(reader, row, 0); });
  apply(numbers.data(), network);
  try {
    return make_model(network.sizes, network.weights, network.biases);
  } catch (const Error& error) {
    corrupt(error.what());
  }
}

}  // namespace wyner::lossless
