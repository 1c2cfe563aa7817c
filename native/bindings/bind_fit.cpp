// Bindings of the fitting engine.
#include <nanobind/nanobind.h>
#include <nanobind/stl/vector.h>

#include <stdexcept>
#include <vector>

#include "bindings/fit_arguments.h"
#include "bindings/side_argument.h"
#include "overfit/fit_engine.h"
#include "overfit/model.h"

namespace nb = nanobind;
using namespace nb::literals;
using namespace fit_arguments;
using wyner::Fitter;

namespace {

void construct(Fitter* self, const Image& image, int model, int grids, int threads, uint32_t seed,
               const wyner::overfit::SideInputs* given) {
  const auto& m = wyner::overfit::model(model);
  const int planes = int(image.shape(0));
  check_image(image);
  check_counts(grids, threads);
  const int width = int(image.shape(2)), height = int(image.shape(1));
  const wyner::overfit::SideInputs& side = side_of(given, width, height);
  const wyner::FitSizes sizes{m.S, m.F, m.N, m.M, side.extras.arm, side.extras.syn};
  new (self) Fitter(image.data(), planes, width, height, sizes, grids, threads, seed, side);
  set_model_prior(*self, m, grids, side.extras);
}

void set_prior(Fitter& self, const Vector& mean, const Vector& inverse) {
  const size_t n = self.params().size();
  if (mean.shape(0) != n || inverse.shape(0) != n) throw std::invalid_argument("prior: wrong number of values");
  self.set_prior({mean.data(), mean.data() + n}, {inverse.data(), inverse.data() + n});
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

nb::dict gradients(Fitter& self, float lambda, int thin, bool rough) {
  check_thin(thin);
  wyner::FitResult r;
  {
    nb::gil_scoped_release release;
    r = self.gradients(lambda, thin, rough);
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

}  // namespace

void bind_fit(nb::module_& m) {
  nb::class_<Fitter>(m, "Fitter", "Fits latents and networks of one image; see native/overfit/fit_engine.h.")
      .def("__init__", &construct, "image"_a, "model"_a, "grids"_a, "threads"_a = 1, "seed"_a = 0,
           "side"_a = nb::none(),
           "image: float32 (1 or 3, H, W) in [0, 1]. side: SideInputs of its size, if any. Parameters begin at\n"
           "the model's prior, latents at 0. Raises ValueError for other shapes and UnsupportedError for an unknown model.")
      .def("get_params", [](Fitter& f) { return vector_array(f.params()); }, "float32, order of the specification")
      .def("set_params", &set_params<Fitter>, "values"_a)
      .def("set_prior", &set_prior, "mean"_a, "inverse_scale"_a,
           "Laplace distributions that the parameters are charged for by; float32, order of the specification. They\n"
           "begin at the means.")
      .def("get_latents", [](Fitter& f) { return per_grid(f, &Fitter::get_latents); },
           "One float32 (h, w) array per grid, finest first, before rounding.")
      .def("set_latents", &set_latents, "grids"_a)
      .def("gradients", &gradients, "lam"_a, "thin"_a = 1, "rough"_a = false,
           "Loss and gradients with the latents taken as they are: dict(loss, mse, grid_bits, params, latents). thin: as of\n"
           "the next step of run(). rough: with the precision of steps with noise, which depends on the processor.")
      .def("run", &run<Fitter>, "steps"_a, "lr_latents"_a, "lr_params"_a, "temperature"_a, "noise"_a, "lam"_a,
           "hard"_a = false, "weight_rate"_a = 1.0f, "thin"_a = 1,
           "Optimiser steps with constant settings; returns the means of (mse, latent bits) over them. thin: gradients of\n"
           "the weights of ARM and synthesis come from one in so many blocks and rows, and all have their turn.");
}
