// Quantisation of the networks with the curvature of the loss; see native/overfit/weight_rounding.h.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include "bindings/convert.h"
#include "coder/laplace.h"
#include "overfit/weight_rounding.h"

namespace nb = nanobind;
using namespace nb::literals;
using wyner::require;

namespace {

using Matrix = nb::ndarray<const double, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Vector = nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Ints = nb::ndarray<const int32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

nb::object low_rank_matrix(Matrix probes, Matrix images) {
  const size_t r = probes.shape(0), n = probes.shape(1);
  require(images.shape(0) == r && images.shape(1) == n, "probes and images must have one shape");
  require(r > 0 && n > 0 && r <= 4096 && n <= 16384, "1 to 4096 probes of 1 to 16384 values");
  std::vector<double> out;
  {
    nb::gil_scoped_release release;
    out = wyner::overfit::low_rank_matrix(probes.data(), images.data(), int(r), int(n));
  }
  return nb::cast(to_array(std::move(out), {n, n}));
}

nb::object upper_factor(Matrix matrix) {
  const size_t n = matrix.shape(0);
  require(matrix.shape(1) == n && n <= 16384, "the matrix must be square, of at most 16384 rows");
  std::vector<double> out;
  {
    nb::gil_scoped_release release;
    out = wyner::overfit::upper_factor(matrix.data(), int(n));
  }
  return nb::cast(to_array(std::move(out), {n, n}));
}

nb::object round_in_turn(Vector weights, Matrix factor, Ints bits, Ints mean, Ints scale, double rate) {
  const size_t n = weights.shape(0);
  require(factor.shape(0) == n && factor.shape(1) == n, "factor must be a square of the length of weights");
  require(bits.shape(0) == n && mean.shape(0) == n && scale.shape(0) == n, "all arguments must have one length");
  for (size_t i = 0; i < n; ++i) {
    require(factor.data()[i * n + i] > 0, "the diagonal of factor must be positive");
    require(scale.data()[i] >= 0 && scale.data()[i] <= wyner::kMaxScale, "scale must be in 0..208");
    require(bits.data()[i] >= 0 && bits.data()[i] <= 14, "bits must be in 0..14");
    require(mean.data()[i] >= -40000 && mean.data()[i] <= 40000, "mean must be in -40000..40000");
  }
  std::vector<int32_t> out =
      wyner::overfit::round_in_turn({int(n), weights.data(), factor.data(), bits.data(), mean.data(), scale.data(), rate});
  return nb::cast(to_array(std::move(out), {n}));
}

}  // namespace

void bind_weights(nb::module_& m) {
  m.def("low_rank_matrix", low_rank_matrix, "probes"_a, "images"_a,
        "The positive semidefinite (n, n) matrix that maps float64 (r, n) probes to about their images.");
  m.def("upper_factor", upper_factor, "matrix"_a,
        "Upper triangular R with matrix = R R^T, float64. Raises ValueError unless positive definite.");
  m.def("round_in_turn", round_in_turn, "weights"_a, "factor"_a, "bits"_a, "mean"_a, "scale"_a, "rate"_a,
        "int32 values of `bits` fractional bits; factor is upper_factor of the Hessian of the loss, mean and scale\n"
        "(int32) are of the Laplace distributions that code them, rate is the loss of one bit.");
}
