// Bindings of the fitting engine.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/vector.h>

#include <cmath>
#include <stdexcept>
#include <vector>

#include "bindings/side_argument.h"
#include "overfit/fit_engine.h"
#include "overfit/model.h"

namespace nb = nanobind;
using namespace nb::literals;
using wyner::Fitter;

namespace {

using Image = nb::ndarray<const float, nb::shape<-1, -1, -1>, nb::c_contig, nb::device::cpu>;
using Vector = nb::ndarray<const float, nb::shape<-1>, nb::c_contig, nb::device::cpu>;
using Grid = nb::ndarray<const float, nb::shape<-1, -1>, nb::c_contig, nb::device::cpu>;

template <class Fill>
nb::object float_array(std::vector<size_t> shape, Fill fill) {
  size_t size = 1;
  for (size_t n : shape) size *= n;
  auto data = std::make_unique<float[]>(size);
  fill(data.get());
  nb::capsule owner(data.get(), [](void* p) noexcept { delete[] static_cast<float*>(p); });
  return nb::cast(nb::ndarray<nb::numpy, float>(data.release(), shape.size(), shape.data(), owner));
}

void set_model_prior(Fitter& fitter, const wyner::overfit::Model& model, int grids, wyner::overfit::Extras extras) {
  std::vector<float> mean, inverse;
  for (const auto& slot : wyner::overfit::parameter_slots(model, grids, extras)) {
    mean.push_back(slot.absent ? 0.0f : std::ldexp(float(slot.mean), -wyner::overfit::kMeanBits));
    inverse.push_back(slot.absent ? 0.0f : std::exp2(14.0f - float(slot.scale) / 16.0f));
  }
  fitter.params() = mean;
  fitter.set_prior(std::move(mean), std::move(inverse));
}

void construct(Fitter* self, const Image& image, int model, int grids, int threads, uint32_t seed,
               const wyner::overfit::SideInputs* given) {
  const auto& m = wyner::overfit::model(model);
  const int planes = int(image.shape(0));
  if (planes != 1 && planes != 3) throw std::invalid_argument("image must have shape (1 or 3, H, W)");
  if (image.shape(1) == 0 || image.shape(2) == 0) throw std::invalid_argument("the image is empty");
  if (grids < 1 || grids > wyner::overfit::kMaxGrids) throw std::invalid_argument("grids must be 1..9");
  if (threads < 1 || threads > 256) throw std::invalid_argument("threads must be 1..256");
  const int width = int(image.shape(2)), height = int(image.shape(1));
  const wyner::overfit::SideInputs& side = side_of(given, width, height);
  const wyner::FitSizes sizes{m.S, m.F, m.N, m.M, side.extras.arm, side.extras.syn};
  new (self) Fitter(image.data(), planes, width, height, sizes, grids, threads, seed, side);
  set_model_prior(*self, m, grids, side.extras);
}

void set_params(Fitter& self, const Vector& values) {
  if (values.shape(0) != self.params().size()) throw std::invalid_argument("params: wrong number of values");
  std::copy_n(values.data(), values.shape(0), self.params().begin());
}

void set_latents(Fitter& self, const std::vector<Grid>& grids) {
  if (int(grids.size()) != self.grids()) throw std::invalid_argument("latents: one array per grid");
  for (int i = 0; i < self.grids(); ++i)
    if (int(grids[i].shape(0)) != self.grid_height(i) || int(grids[i].shape(1)) != self.grid_width(i))
      throw std::invalid_argument("latents: an array has the wrong shape");
  for (int i = 0; i < self.grids(); ++i) self.set_latents(i, grids[i].data());
}

nb::list per_grid(const Fitter& self, void (Fitter::*get)(int, float*) const) {
  nb::list out;
  for (int i = 0; i < self.grids(); ++i)
    out.append(float_array({size_t(self.grid_height(i)), size_t(self.grid_width(i))},
                           [&](float* p) { (self.*get)(i, p); }));
  return out;
}

nb::object vector_array(const std::vector<float>& v) {
  return float_array({v.size()}, [&](float* p) { std::copy(v.begin(), v.end(), p); });
}

nb::dict gradients(Fitter& self, float lambda) {
  wyner::FitResult r;
  {
    nb::gil_scoped_release release;
    r = self.gradients(lambda);
  }
  const double pixels = double(self.grid_width(0)) * self.grid_height(0);
  nb::dict out;
  out["loss"] = r.mse + lambda * r.bits() / pixels;
  out["mse"] = r.mse;
  out["grid_bits"] = r.grid_bits;
  out["params"] = vector_array(self.param_gradient());
  out["latents"] = per_grid(self, &Fitter::get_latent_gradient);
  return out;
}

nb::tuple run(Fitter& self, int steps, float lr_latents, float lr_params, float temperature, float noise, float lam,
              bool hard, float weight_rate) {
  const wyner::FitStep s{lr_latents, lr_params, hard ? 0.0f : temperature, noise, lam, weight_rate};
  double mse = 0, bits = 0;
  {
    nb::gil_scoped_release release;
    for (int i = 0; i < steps; ++i) {
      const wyner::FitResult r = self.step(s);
      mse += r.mse / steps;
      bits += r.bits() / steps;
    }
  }
  return nb::make_tuple(mse, bits);
}

}  // namespace

void bind_fit(nb::module_& m) {
  nb::class_<Fitter>(m, "Fitter", "Fits latents and networks of one image; see native/overfit/fit_engine.h.")
      .def("__init__", &construct, "image"_a, "model"_a, "grids"_a, "threads"_a = 1, "seed"_a = 0,
           "side"_a = nb::none(),
           "image: float32 (1 or 3, H, W) in [0, 1]. side: SideInputs of its size, if any. Parameters begin at\n"
           "the model's prior, latents at 0. Raises ValueError for other shapes and UnsupportedError for an unknown model.")
      .def("get_params", [](Fitter& f) { return vector_array(f.params()); }, "float32, order of the specification")
      .def("set_params", &set_params, "values"_a)
      .def("get_latents", [](Fitter& f) { return per_grid(f, &Fitter::get_latents); },
           "One float32 (h, w) array per grid, finest first, before rounding.")
      .def("set_latents", &set_latents, "grids"_a)
      .def("gradients", &gradients, "lam"_a,
           "Loss and gradients with the latents taken as they are: dict(loss, mse, grid_bits, params, latents).")
      .def("run", &run, "steps"_a, "lr_latents"_a, "lr_params"_a, "temperature"_a, "noise"_a, "lam"_a,
           "hard"_a = false, "weight_rate"_a = 1.0f,
           "Optimiser steps with constant settings; returns the means of (mse, latent bits) over them.");
}
