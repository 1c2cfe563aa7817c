// Bindings of the lossless codec's network (docs/spec/lossless.md).
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/array.h>

#include <array>
#include <vector>

#include "bindings/convert.h"
#include "lossless/codec.h"
#include "lossless/screen.h"
#include "lossless/update.h"

namespace nb = nanobind;
using namespace nb::literals;
using wyner::require;
using namespace wyner::lossless;

namespace {

using Weights = nb::ndarray<const int16_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Biases = nb::ndarray<const int32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Numbers = Weights;
using Samples = nb::ndarray<const uint16_t, nb::ndim<3>, nb::c_contig, nb::device::cpu>;

Sizes sizes_of(const std::array<int, 7>& s) { return {s[0], s[1], s[2], s[3], {s[4], s[5], s[6]}}; }

void construct(Model* self, const std::array<int, 7>& sizes, Weights weights, Biases biases) {
  new (self) Model(make_model(sizes_of(sizes), {weights.data(), weights.data() + weights.size()},
                              {biases.data(), biases.data() + biases.size()}));
}

nb::bytes written_update(const std::array<int, 7>& sizes, Numbers numbers) {
  const std::vector<uint8_t> out = write_update(sizes_of(sizes), {numbers.data(), numbers.data() + numbers.size()});
  return nb::bytes(out.data(), out.size());
}

Model updated_model(const std::array<int, 7>& sizes, Weights weights, Biases biases, nb::bytes update) {
  return updated({sizes_of(sizes), {weights.data(), weights.data() + weights.size()},
                  {biases.data(), biases.data() + biases.size()}},
                 static_cast<const uint8_t*>(update.data()), update.size());
}

nb::list layer_shapes(const std::array<int, 7>& sizes) {
  nb::list found;
  for (const LayerShape& s : shapes_of(sizes_of(sizes)))
    found.append(nb::make_tuple(s.outputs, s.inputs, s.taps, s.bias_rows, s.most));
  return found;
}

Shape shape_of(int width, int height, int channels, int maxval) {
  const Shape shape{width, height, channels, maxval};
  check(shape);
  return shape;
}

// Throws Error (argument) unless the samples are a picture of this maxval.
Shape shape_of(const Samples& samples, int maxval) {
  require(samples.shape(0) <= INT32_MAX && samples.shape(1) <= INT32_MAX && samples.shape(2) <= 3,
          "the size is out of range");
  const Shape shape = shape_of(int(samples.shape(1)), int(samples.shape(0)), int(samples.shape(2)), maxval);
  for (size_t i = 0; i < samples.size(); ++i) require(samples.data()[i] <= maxval, "a sample is larger than maxval");
  return shape;
}

nb::object to_samples(std::vector<uint16_t> out, const Shape& shape) {
  return nb::cast(to_array(std::move(out), {size_t(shape.height), size_t(shape.width), size_t(shape.channels)}));
}

size_t count_of(const Shape& shape) { return size_t(shape.width) * size_t(shape.height) * size_t(shape.channels); }

nb::bytes encoded(const Model& model, Samples samples, int maxval, int threads, nb::object report) {
  require(threads >= 1, "threads must be at least 1");
  const Shape shape = shape_of(samples, maxval);
  Report told;
  if (!report.is_none())
    told = [&](double done) {
      nb::gil_scoped_acquire acquire;
      report(done);
    };
  std::vector<uint8_t> out;
  {
    nb::gil_scoped_release release;
    out = encode(model, samples.data(), shape, threads, told);
  }
  return nb::bytes(out.data(), out.size());
}

nb::object decoded(const Model& model, nb::bytes data, int width, int height, int channels, int maxval, int threads) {
  require(threads >= 1, "threads must be at least 1");
  const Shape shape = shape_of(width, height, channels, maxval);
  std::vector<uint16_t> out(count_of(shape));
  {
    nb::gil_scoped_release release;
    decode(model, static_cast<const uint8_t*>(data.data()), data.size(), shape, threads, out.data());
  }
  return to_samples(std::move(out), shape);
}

nb::bytes screen_encoded(Samples samples, int maxval) {
  const Shape shape = shape_of(samples, maxval);
  std::vector<uint8_t> out;
  {
    nb::gil_scoped_release release;
    out = screen_encode(samples.data(), shape);
  }
  return nb::bytes(out.data(), out.size());
}

nb::object screen_decoded(nb::bytes data, int width, int height, int channels, int maxval) {
  const Shape shape = shape_of(width, height, channels, maxval);
  std::vector<uint16_t> out(count_of(shape));
  {
    nb::gil_scoped_release release;
    screen_decode(static_cast<const uint8_t*>(data.data()), data.size(), shape, out.data());
  }
  return to_samples(std::move(out), shape);
}

}  // namespace

void bind_lossless(nb::module_& m) {
  nb::class_<Model>(m, "LosslessModel", "The network of docs/spec/lossless.md.")
      .def("__init__", &construct, "sizes"_a, "weights"_a, "biases"_a,
           "sizes: channels at full, half and quarter size, of heads, and blocks of the three trunks. weights\n"
           "int16, biases int32, both flat, in the order of the specification. Raises ValueError.")
      .def("encode", &encoded, "samples"_a, "maxval"_a, "threads"_a = 1, "report"_a = nb::none(),
           "Payload of samples (H, W, C) uint16, C 1 or 3. report: None, or called now and then with the part\n"
           "that is done. Raises ValueError, and what report raises.")
      .def("decode", &decoded, "data"_a, "width"_a, "height"_a, "channels"_a, "maxval"_a, "threads"_a = 1,
           "Samples (H, W, C) uint16 of a payload. Raises CorruptError.")
      .def_prop_ro("macs_per_pixel", [](const Model& model) { return macs_per_pixel(model.sizes); },
                   "Multiply-accumulates for a pixel.");
  m.def("lossless_layers", &layer_shapes, "sizes"_a,
        "Outputs, inputs, taps and rows of biases of each layer, in the order of the specification, and what the\n"
        "magnitudes of an output's weights may sum to. Raises ValueError.");
  m.def("lossless_update", &written_update, "sizes"_a, "numbers"_a,
        "An update by section 10 of docs/spec/lossless.md. numbers int16, flat: of each layer the gains of outputs, of\n"
        "inputs, then one number for each bias. Raises ValueError.");
  m.def("lossless_updated", &updated_model, "sizes"_a, "weights"_a, "biases"_a, "update"_a,
        "The LosslessModel that an update makes of a network. Raises CorruptError.");
  m.def("screen_encode", &screen_encoded, "samples"_a, "maxval"_a,
        "Payload of samples (H, W, C) uint16, C 1 or 3, by section 8 of docs/spec/lossless.md. Raises ValueError.");
  m.def("screen_decode", &screen_decoded, "data"_a, "width"_a, "height"_a, "channels"_a, "maxval"_a,
        "Samples (H, W, C) uint16 of such a payload. Raises CorruptError.");
}
