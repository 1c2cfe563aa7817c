// The plain shared decoder; see native/shared/linear_decoder.h.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cmath>

#include "bindings/convert.h"
#include "shared/linear_decoder.h"

namespace nb = nanobind;
using namespace nb::literals;
using wyner::require;
using wyner::shared::LinearDecoder;
using wyner::shared::LinearFit;

namespace {

using Matrix = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Vector = nb::ndarray<const float, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

constexpr size_t kMostNumbers = size_t(1) << 26;  // of a decoder, with its moments under a gigabyte
constexpr size_t kMostLatents = 1024;
constexpr float kGreatest = 1e6f;  // of a parameter: sums of products stay far from overflow

template <class Array>
void check_range(const Array& values, float low, float high, const char* message) {
  for (size_t i = 0; i < values.size(); ++i)
    require(values.data()[i] >= low && values.data()[i] <= high, message);  // false for NaN
}

void check_sizes(size_t count, size_t pixels, size_t latents) {
  require(count > 0 && pixels > 0, "at least one image of at least one pixel");
  require(latents >= 1 && latents <= kMostLatents, "latents must be 1..1024");
  require(pixels <= kMostNumbers / (latents + 1), "a decoder has at most 67108864 numbers: pixels * (latents + 1)");
  require(count <= kMostNumbers / pixels && count <= kMostNumbers / latents,
          "the images and their codes have at most 67108864 values each");
}

void check_images(const Matrix& images) { check_range(images, 0, 1, "the images must have values in 0..1"); }

LinearDecoder to_decoder(const Matrix& weights, const Vector& bias) {
  require(weights.shape(0) == bias.shape(0), "weights and bias must have a row for each pixel");
  check_range(weights, -kGreatest, kGreatest, "weights must be finite, in -1e6..1e6");
  check_range(bias, -kGreatest, kGreatest, "bias must be finite, in -1e6..1e6");
  return {weights.shape(0), weights.shape(1), {weights.data(), weights.data() + weights.size()},
          {bias.data(), bias.data() + bias.size()}};
}

void check_codes(const Matrix& codes, size_t latents) {
  require(codes.shape(1) == latents, "codes must have as many columns as weights");
  check_range(codes, -kGreatest, kGreatest, "codes must be finite, in -1e6..1e6");
}

void construct(LinearFit* self, const Matrix& images, size_t latents, uint32_t seed) {
  check_sizes(images.shape(0), images.shape(1), latents);
  check_images(images);
  new (self) LinearFit(images.data(), images.shape(0), images.shape(1), latents, seed);
}

LinearFit codes_only(const Matrix& images, const Matrix& weights, const Vector& bias) {
  check_sizes(images.shape(0), images.shape(1), weights.shape(1));
  require(images.shape(1) == weights.shape(0), "the images must have as many pixels as weights has rows");
  check_images(images);
  return LinearFit(images.data(), images.shape(0), to_decoder(weights, bias));
}

void set_params(LinearFit& self, const Matrix& weights, const Vector& bias, const Matrix& codes) {
  require(weights.shape(0) == self.decoder().pixels && weights.shape(1) == self.decoder().latents,
          "weights must have the shape (pixels, latents) of the fit");
  require(codes.shape(0) == self.count(), "codes must have a row for each image");
  check_codes(codes, weights.shape(1));
  self.decoder() = to_decoder(weights, bias);
  self.codes().assign(codes.data(), codes.data() + codes.size());
}

double run(LinearFit& self, int steps, float lr) {
  require(steps >= 1 && steps <= 1000000, "steps must be 1..1000000");
  require(lr > 0 && lr <= 1, "lr must be over 0 and at most 1");
  nb::gil_scoped_release release;
  for (int i = 0; i < steps; ++i) self.step(lr);
  return self.loss();
}

nb::dict gradients(LinearFit& self) {
  const size_t pixels = self.decoder().pixels, latents = self.decoder().latents;
  auto found = self.gradients();
  nb::dict out;
  out["loss"] = found.loss;
  out["weights"] = to_array(std::move(found.weights), {pixels, latents});
  out["bias"] = to_array(std::move(found.bias), {pixels});
  out["codes"] = to_array(std::move(found.codes), {self.count(), latents});
  return out;
}

// Objects, as a property would take an array for a part of the fit.
nb::object weights(LinearFit& self) {
  return nb::cast(to_array(self.decoder().weights, {self.decoder().pixels, self.decoder().latents}));
}

nb::object bias(LinearFit& self) { return nb::cast(to_array(self.decoder().bias, {self.decoder().pixels})); }

nb::object codes(LinearFit& self) {
  return nb::cast(to_array(self.codes(), {self.count(), self.decoder().latents}));
}

nb::object linear_decode(const Matrix& weights, const Vector& bias, const Matrix& codes) {
  check_sizes(codes.shape(0), weights.shape(0), weights.shape(1));
  check_codes(codes, weights.shape(1));
  const LinearDecoder decoder = to_decoder(weights, bias);
  std::vector<float> out(codes.shape(0) * decoder.pixels);
  {
    nb::gil_scoped_release release;
    wyner::shared::decode(decoder, codes.data(), codes.shape(0), out.data());
  }
  return nb::cast(to_array(std::move(out), {codes.shape(0), weights.shape(0)}));
}

}  // namespace

void bind_shared(nb::module_& m) {
  nb::class_<LinearFit>(m, "LinearFit",
                        "Fits x_hat_k = sigmoid(weights z_k + bias) to a set of images, with a code z_k for each.")
      .def("__init__", &construct, "images"_a, "latents"_a, "seed"_a = 0,
           "images: float32 (K, pixels) in [0, 1]. latents: 1..1024. weights and bias begin at 0, the codes at\n"
           "random with unit variance. Raises UsageError for other values, and for more than 2^26 numbers.")
      .def_static("of_codes", &codes_only, "images"_a, "weights"_a, "bias"_a,
                  "Fits codes alone, from 0, to images (K, pixels); weights (pixels, latents) and bias (pixels,),\n"
                  "both float32, stay as they are. Raises UsageError as the constructor does.")
      .def("run", &run, "steps"_a, "lr"_a,
           "Steps of Adam, lr in (0, 1]; returns the mean squared error after them (samples in [0, 1]).")
      .def("loss", &LinearFit::loss, "The mean squared error over all samples of all images.")
      .def("gradients", &gradients, "dict(loss, weights, bias, codes): the loss and its gradients, float32.")
      .def("set_params", &set_params, "weights"_a, "bias"_a, "codes"_a,
           "Float32 arrays (pixels, latents), (pixels,) and (K, latents), in -1e6..1e6. Adam's averages are kept.")
      .def_prop_ro("weights", &weights, "float32 (pixels, latents), a copy")
      .def_prop_ro("bias", &bias, "float32 (pixels,), a copy")
      .def_prop_ro("codes", &codes, "float32 (K, latents), a copy");
  m.def("linear_decode", &linear_decode, "weights"_a, "bias"_a, "codes"_a,
        "sigmoid(weights z + bias), float32 (K, pixels), for each row z of codes; shapes as LinearFit has them.");
}
