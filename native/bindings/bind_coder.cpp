// The range coder by itself, for tests and for programs that study it.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include "bindings/convert.h"
#include "coder/symbol_coder.h"

namespace nb = nanobind;
using namespace nb::literals;
using wyner::require;

namespace {

using Steps = nb::ndarray<const uint32_t, nb::shape<-1, 3>, nb::c_contig, nb::device::cpu>;
using Ints = nb::ndarray<const int32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

// A row (n, a, b): the interval [a, b) if n is 0, otherwise the n-bit number a.
struct Step {
  uint32_t n, a, b;
};

Step step_at(const Steps& steps, size_t i) {
  const uint32_t* row = steps.data() + 3 * i;
  const Step step{row[0], row[1], row[2]};
  require(step.n == 0 ? step.a < step.b && step.b <= 65536 : step.n <= 16 && step.a < (1u << step.n),
          "a step is out of range");
  return step;
}

nb::bytes range_encode(Steps steps) {
  wyner::RangeEncoder coder;
  for (size_t i = 0; i < steps.shape(0); ++i) {
    const Step step = step_at(steps, i);
    if (step.n == 0) coder.interval(step.a, step.b);
    else coder.bits(int(step.n), step.a);
  }
  const std::vector<uint8_t> data = coder.finish();
  return nb::bytes(data.data(), data.size());
}

size_t range_decode(nb::bytes data, Steps steps) {
  wyner::RangeDecoder coder(reinterpret_cast<const uint8_t*>(data.c_str()), data.size());
  for (size_t i = 0; i < steps.shape(0); ++i) {
    const Step step = step_at(steps, i);
    if (step.n == 0) {
      const uint64_t unit = coder.unit();
      if (coder.code() < unit * step.a || coder.code() >= unit * step.b) return i;
      coder.consume(unit, step.a, step.b);
    } else if (coder.bits(int(step.n)) != step.a) {
      return i;
    }
  }
  return steps.shape(0);
}

void check_laplace(const Ints& mu, const Ints& scale) {
  require(mu.shape(0) == scale.shape(0), "mu and scale must have one length");
  for (size_t i = 0; i < mu.shape(0); ++i) {
    require(mu.data()[i] >= -262144 && mu.data()[i] <= 262144, "mu must be in -262144..262144");
    require(scale.data()[i] >= 0 && scale.data()[i] <= wyner::kMaxScale, "scale must be in 0..208");
  }
}

nb::bytes laplace_encode(Ints values, Ints mu, Ints scale) {
  check_laplace(mu, scale);
  require(values.shape(0) == mu.shape(0), "values and mu must have one length");
  wyner::SymbolEncoder coder;
  for (size_t i = 0; i < mu.shape(0); ++i) coder.symbol(mu.data()[i], scale.data()[i], values.data()[i]);
  const std::vector<uint8_t> data = coder.finish();
  return nb::bytes(data.data(), data.size());
}

nb::object laplace_decode(nb::bytes data, Ints mu, Ints scale) {
  check_laplace(mu, scale);
  wyner::SymbolDecoder coder(reinterpret_cast<const uint8_t*>(data.c_str()), data.size());
  std::vector<int32_t> values(mu.shape(0));
  for (size_t i = 0; i < values.size(); ++i) values[i] = coder.symbol(mu.data()[i], scale.data()[i]);
  const size_t size = values.size();
  return nb::cast(to_array(std::move(values), {size}));
}

nb::object laplace_bits(Ints values, Ints scale) {
  require(values.shape(0) == scale.shape(0), "values and scale must have one length");
  std::vector<double> bits(values.shape(0));
  wyner::SymbolCost coder;
  for (size_t i = 0; i < bits.size(); ++i) {
    require(scale.data()[i] >= 0 && scale.data()[i] <= wyner::kMaxScale, "scale must be in 0..208");
    coder.symbol(0, scale.data()[i], values.data()[i]);
    bits[i] = coder.take();
  }
  const size_t size = bits.size();
  return nb::cast(to_array(std::move(bits), {size}));
}

}  // namespace

void bind_coder(nb::module_& m) {
  m.def("range_encode", range_encode, "steps"_a,
        "Code uint32 (n, 3) steps: (0, low, high) is an interval of 65536, (b, value, 0) a b-bit number.");
  m.def("range_decode", range_decode, "data"_a, "steps"_a,
        "How many of the steps the data decodes to before it first differs.");
  m.def("laplace_encode", laplace_encode, "values"_a, "mu"_a, "scale"_a,
        "Code int32 values in -32767..32767 with the distributions (mu, scale): mu is Q6 in\n"
        "-262144..262144, scale is in 0..208. Raises ValueError for anything else.");
  m.def("laplace_decode", laplace_decode, "data"_a, "mu"_a, "scale"_a,
        "The int32 values that laplace_encode was given. Raises CorruptError.");
  m.def("laplace_bits", laplace_bits, "values"_a, "scale"_a,
        "Ideal code length in bits of each value, with mu = 0.");
}
