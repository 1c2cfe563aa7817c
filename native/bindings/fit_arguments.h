// What the bindings of the fitters of one picture and of a set have in common.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <stdexcept>
#include <vector>

#include "overfit/fit_engine.h"
#include "overfit/model.h"

namespace fit_arguments {

namespace nb = nanobind;

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

template <class AnyFitter>
void set_model_prior(AnyFitter& fitter, const wyner::overfit::Model& model, int grids, wyner::overfit::Extras extras) {
  std::vector<float> mean, inverse;
  for (const auto& slot : wyner::overfit::parameter_slots(model, grids, extras)) {
    mean.push_back(slot.absent ? 0.0f : std::ldexp(float(slot.mean), -wyner::overfit::kMeanBits));
    inverse.push_back(slot.absent ? 0.0f : std::exp2(14.0f - float(slot.scale) / 16.0f));
  }
  fitter.set_prior(std::move(mean), std::move(inverse));
}

inline void check_image(const Image& image) {
  const size_t planes = image.shape(0);
  if (planes != 1 && planes != 3) throw std::invalid_argument("image must have shape (1 or 3, H, W)");
  if (image.shape(1) == 0 || image.shape(2) == 0) throw std::invalid_argument("the image is empty");
}

inline void check_counts(int grids, int threads) {
  if (grids < 1 || grids > wyner::overfit::kMaxGrids) throw std::invalid_argument("grids must be 1..9");
  if (threads < 1 || threads > 256) throw std::invalid_argument("threads must be 1..256");
}

inline void check_thin(int thin) {
  if (thin < 1) throw std::invalid_argument("thin must be at least 1");
}

inline nb::object vector_array(const std::vector<float>& v) {
  return float_array({v.size()}, [&](float* p) { std::copy(v.begin(), v.end(), p); });
}

template <class AnyFitter>
void set_params(AnyFitter& self, const Vector& values) {
  if (values.shape(0) != self.params().size()) throw std::invalid_argument("params: wrong number of values");
  std::copy_n(values.data(), values.shape(0), self.params().begin());
}

template <class AnyFitter>
nb::tuple run(AnyFitter& self, int steps, float lr_latents, float lr_params, float temperature, float noise, float lam,
              bool hard, float weight_rate, int thin) {
  check_thin(thin);
  const wyner::FitStep s{lr_latents, lr_params, hard ? 0.0f : temperature, noise, lam, weight_rate, thin};
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

}  // namespace fit_arguments
