#include "overfit/fit_networks.h"

#include <cmath>
#include <stdexcept>

namespace wyner {

namespace {

// The parameter vector as matrices, one per layer (one per grid for the features).
std::vector<Soap::Shape> matrices(const FitSizes& s, int grids) {
  const int A = s.S + s.F + s.E, N = s.N, M = s.M, G = grids, U = G + s.X;
  std::vector<Soap::Shape> shapes;
  int offset = 0;
  auto add = [&](int rows, int cols) {
    shapes.push_back({offset, rows, cols});
    offset += rows * cols;
  };
  add(N, A), add(1, N), add(N, N), add(1, N), add(2, N), add(2, A), add(1, 2);
  for (int i = 0; i < G; ++i) add(s.F, 6);
  add(G, s.F), add(G - 1, 4), add(G, 4);
  add(M, U), add(1, M), add(3, M), add(3, U), add(1, 3);
  add(3, 27), add(1, 3), add(3, 27), add(1, 3);
  if (offset != FitLayout(s, grids).end) throw std::logic_error("the matrices do not cover the parameters");
  return shapes;
}

}  // namespace

FitLayout::FitLayout(const FitSizes& s, int grids) {
  const int A = s.S + s.F + s.E, U = grids + s.X;
  ifc_w = s.N * A + s.N + s.N * s.N + s.N + 2 * s.N + 2 * A + 2;
  ifc_b = ifc_w + grids * s.F * 6;
  up = ifc_b + grids * s.F;
  pre = up + (grids - 1) * 4;
  syn = pre + grids * 4;
  end = syn + s.M * U + s.M + 3 * s.M + 3 * U + 3 + 2 * (81 + 3);
}

FitNetworks::FitNetworks(const FitSizes& sizes, int grids)
    : params(FitLayout(sizes, grids).end), soap_(matrices(sizes, grids)), prior_mean_(params), prior_inverse_(params) {}

void FitNetworks::set_prior(std::vector<float> mean, std::vector<float> inverse_scale) {
  params = prior_mean_ = std::move(mean);
  prior_inverse_ = std::move(inverse_scale);
}

void FitNetworks::step(std::vector<float>& gradient, const FitStep& s, double pixels) {
  if (s.lr_params <= 0) return;
  // Bits of a parameter under its Laplace prior: |delta| / (b ln 2), smoothed at zero over b/4.
  const float rate = s.weight_rate * s.lambda / float(pixels) * 1.44269504f;
  for (size_t i = 0; i < params.size(); ++i) {
    const float delta = (params[i] - prior_mean_[i]) * prior_inverse_[i];
    gradient[i] += rate * prior_inverse_[i] * delta / std::sqrt(delta * delta + 0.0625f);
  }
  soap_.step(params, gradient, s.lr_params);
}

}  // namespace wyner
