#include "overfit/fit_engine.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>

#include "kernels/dispatch.h"

namespace wyner {

WYNER_DISPATCH(FitKernels, fit_kernels)

namespace {

constexpr float kBeta1 = 0.7f, kBeta2 = 0.99f;  // noise is fresh each step: short memories
// Far below any gradient: those of a picture of n pixels are about lambda / n.
constexpr float kEps = 1e-16f;

int round_up(int v, int to) { return (v + to - 1) / to * to; }
int stride_of(int w) { return round_up(w, kColumns) + 2 * kPad; }

// The parameter vector as matrices, one per layer (one per grid for the features).
std::vector<Soap::Shape> matrices(const FitSizes& s, int grids, const FitLayout& at) {
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
  if (offset != at.end) throw std::logic_error("the matrices do not cover the parameters");
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

double FitResult::bits() const {
  double total = 0;
  for (double b : grid_bits) total += b;
  return total;
}

void Fitter::Plane::allocate(int w, int h) {
  stride = stride_of(w);
  // One spare row below, since rows are read in whole vectors.
  data.assign(size_t(stride) * (h + kPadRows + 1), 0.0f);
  at = data.data() + kPadRows * stride + kPad;
}

void Fitter::Plane::assign(const overfit::Plane& from, int bits) {
  allocate(from.width, from.height);
  for (int y = 0; y < from.height; ++y)
    for (int x = 0; x < from.width; ++x) at[size_t(y) * stride + x] = std::ldexp(float(from.row(y)[x]), -bits);
}

Fitter::Fitter(const float* image, int planes, int width, int height, FitSizes sizes, int grids, int threads,
               uint32_t seed, const overfit::SideInputs& side)
    : planes_(planes), width_(width), height_(height), grids_(grids), sizes_(sizes), layout_(sizes, grids),
      kernels_(fit_kernels()), pool_(threads), seed_(seed), levels_(grids), scratch_(threads),
      soap_(matrices(sizes, grids, layout_)) {
  for (int i = 0; i < grids; ++i) {
    Level& l = levels_[i];
    l.w = (width + (1 << i) - 1) >> i;
    l.h = (height + (1 << i) - 1) >> i;
    for (Plane* p : {&l.y, &l.q, &l.dq, &l.gq, &l.m, &l.v, &l.magnitude, &l.gmagnitude}) p->allocate(l.w, l.h);
    l.map_w = (l.w + 1) / 2;
    l.map_h = (l.h + 1) / 2;
    l.features.allocate(l.map_w, l.map_h * sizes.F);
    l.gfeatures.allocate(l.map_w, l.map_h * sizes.F);
    l.map_plane = l.map_h * l.features.stride;
    l.u.resize(i ? grids - i : 1);
    l.gu.resize(i ? grids - i : 1);
    for (Plane& p : l.u) p.allocate(l.w, l.h);
    for (Plane& p : l.gu) p.allocate(l.w, l.h);
    l.side.resize(sizes.E);
    for (int e = 0; e < sizes.E; ++e) l.side[e].assign(side.contexts[i][e], side.context_bits);
    for (int r = 0; r < l.h; r += kStripRows) strips_.push_back({i, r, std::min(r + kStripRows, l.h)});
  }
  image_.allocate(width, height * planes);
  image_plane_ = height * image_.stride;
  side_.resize(sizes.X);
  for (int k = 0; k < sizes.X; ++k) side_[k].assign(side.planes[k], overfit::kSideBits);
  for (int y = 0; y < height * planes; ++y)
    std::memcpy(image_.at + size_t(y) * image_.stride, image + size_t(y) * width, sizeof(float) * width);
  params_.assign(layout_.end, 0.0f);
  gparams_ = prior_mean_ = prior_inverse_ = params_;
}

void Fitter::set_prior(std::vector<float> mean, std::vector<float> inverse_scale) {
  prior_mean_ = std::move(mean);
  prior_inverse_ = std::move(inverse_scale);
}

void Fitter::get_latents(int grid, float* out) const {
  const Level& l = levels_[grid];
  for (int y = 0; y < l.h; ++y) std::memcpy(out + size_t(y) * l.w, l.y.at + y * l.y.stride, sizeof(float) * l.w);
}

void Fitter::set_latents(int grid, const float* values) {
  Level& l = levels_[grid];
  for (int y = 0; y < l.h; ++y)
    std::memcpy(l.y.at + y * l.y.stride, values + size_t(y) * l.w, sizeof(float) * l.w);
}

void Fitter::get_latent_gradient(int grid, float* out) const {
  const Level& l = levels_[grid];
  for (int y = 0; y < l.h; ++y) std::memcpy(out + size_t(y) * l.w, l.gq.at + y * l.gq.stride, sizeof(float) * l.w);
}

float* Fitter::scratch(int thread, size_t floats) {
  if (scratch_[thread].size() < floats) scratch_[thread].resize(floats);
  return scratch_[thread].data();
}

float* Fitter::parts(size_t floats) {
  if (parts_.size() < floats) parts_.resize(floats);
  return parts_.data();
}

float* Fitter::halo(size_t floats) {
  if (halo_.size() < floats) halo_.resize(floats);
  return halo_.data();
}

void Fitter::reduce(int offset, int n, const float* parts, int count, int stride) {
  float* out = gparams_.data() + offset;
  std::fill_n(out, n, 0.0f);
  for (int i = 0; i < count; ++i)
    for (int j = 0; j < n; ++j) out[j] += parts[size_t(i) * stride + j];
}

FitResult Fitter::gradients(float lambda) {
  for (Level& l : levels_) {
    l.q.data = l.y.data;
    std::fill(l.dq.data.begin(), l.dq.data.end(), 1.0f);
  }
  return forward_backward(lambda);
}

FitResult Fitter::step(const FitStep& s) {
  quantise(s);
  FitResult result = forward_backward(s.lambda);
  update(s);
  return result;
}

FitResult Fitter::forward_backward(float lambda) {
  FitResult result;
  prefilter();
  features_forward();
  arm(lambda, result);
  upsample();
  synthesis(result);
  upsample_backward();
  prefilter_backward();
  features_backward();
  return result;
}

void Fitter::quantise(const FitStep& s) {
  pool_.run(int(strips_.size()), [&](int index, int) {
    const Strip& strip = strips_[index];
    Level& l = levels_[strip.grid];
    for (int y = strip.row0; y < strip.row1; ++y) {
      QuantiseRow row{};
      row.y = l.y.at + y * l.y.stride;
      row.q = l.q.at + y * l.q.stride;
      row.dq = l.dq.at + y * l.dq.stride;
      row.w = l.w;
      row.padded = round_up(l.w, kColumns);
      row.temperature = s.temperature;
      // Steps come in pairs of opposite noise: the momentum then cancels what is odd in it.
      row.noise = steps_ % 2 ? -s.noise : s.noise;
      row.seed = seed_ + uint32_t(steps_ / 2) * 0x85ebca6bu + uint32_t(strip.grid) * 0xc2b2ae35u + uint32_t(y) * 0x27d4eb2fu;
      kernels_.quantise(row);
    }
  });
}

void Fitter::update(const FitStep& s) {
  ++steps_;
  const float correction1 = float(1 / (1 - std::pow(double(kBeta1), double(steps_))));
  const float correction2 = float(1 / (1 - std::pow(double(kBeta2), double(steps_))));
  if (s.lr_latents > 0)
    pool_.run(int(strips_.size()), [&](int index, int) {
      const Strip& strip = strips_[index];
      Level& l = levels_[strip.grid];
      for (int y = strip.row0; y < strip.row1; ++y) {
        const size_t at = size_t(y) * l.y.stride;
        AdamRow row{l.y.at + at,  l.m.at + at, l.v.at + at, l.gq.at + at, l.dq.at + at, l.w,
                    s.lr_latents, kBeta1,      kBeta2,      correction1,  correction2,  kEps};
        kernels_.adam(row);
      }
    });
  if (s.lr_params <= 0) return;
  // Bits of a parameter under its Laplace prior: |delta| / (b ln 2), smoothed at zero over b/4.
  const float rate = s.weight_rate * s.lambda / (float(width_) * float(height_)) * 1.44269504f;
  for (size_t i = 0; i < params_.size(); ++i) {
    const float delta = (params_[i] - prior_mean_[i]) * prior_inverse_[i];
    gparams_[i] += rate * prior_inverse_[i] * delta / std::sqrt(delta * delta + 0.0625f);
  }
  soap_.step(params_, gparams_, s.lr_params);
}

}  // namespace wyner
