#include "overfit/fit_engine.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/dispatch.h"

namespace wyner {

WYNER_DISPATCH(FitKernels, fit_kernels)

#if defined(WYNER_HAVE_v4_bf16)
namespace v4_bf16 { void fit_arm(ArmTask& t); }
ArmKernel rough_arm() { return active_isa() == Isa::v4_bf16 ? v4_bf16::fit_arm : nullptr; }
#else
ArmKernel rough_arm() { return nullptr; }
#endif

namespace {

constexpr float kBeta1 = 0.7f, kBeta2 = 0.99f;  // noise is fresh each step: short memories
// Far below any gradient: those of a picture of n pixels are about lambda / n.
constexpr float kEps = 1e-16f;

int round_up(int v, int to) { return (v + to - 1) / to * to; }
int stride_of(int w) { return round_up(w, kColumns) + 2 * kPad; }

}  // namespace

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
      kernels_(fit_kernels()), rough_arm_(rough_arm()), pool_(threads), seed_(seed), levels_(grids), scratch_(threads),
      networks_(sizes, grids), gparams_(networks_.params) {
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
  image_plane_ = height * stride_of(width);
  side_.resize(sizes.X);
  for (int k = 0; k < sizes.X; ++k) side_[k].assign(side.planes[k], overfit::kSideBits);
  image_ = copy_of(image);
}

Fitter::Plane Fitter::copy_of(const float* image) const {
  Plane plane;
  plane.allocate(width_, height_ * planes_);
  for (int y = 0; y < height_ * planes_; ++y)
    std::memcpy(plane.at + size_t(y) * plane.stride, image + size_t(y) * width_, sizeof(float) * width_);
  return plane;
}

void Fitter::set_prior(std::vector<float> mean, std::vector<float> inverse_scale) {
  networks_.set_prior(std::move(mean), std::move(inverse_scale));
}

Fitter::State Fitter::fresh_state(const float* image, uint32_t seed) const {
  State state;
  state.image = copy_of(image);
  state.seed = seed;
  for (std::vector<Plane>* planes : {&state.y, &state.m, &state.v}) {
    planes->resize(grids_);
    for (int i = 0; i < grids_; ++i) (*planes)[i].allocate(levels_[i].w, levels_[i].h);
  }
  return state;
}

void Fitter::exchange(State& state) {
  std::swap(image_, state.image);
  std::swap(seed_, state.seed);
  std::swap(steps_, state.steps);
  for (int i = 0; i < grids_; ++i) {
    std::swap(levels_[i].y, state.y[i]);
    std::swap(levels_[i].m, state.m[i]);
    std::swap(levels_[i].v, state.v[i]);
  }
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

FitResult Fitter::gradients(float lambda, int thin, bool rough) {
  thin_ = thin;
  rough_ = rough;
  for (Level& l : levels_) {
    l.q.data = l.y.data;
    std::fill(l.dq.data.begin(), l.dq.data.end(), 1.0f);
  }
  return forward_backward(lambda);
}

FitResult Fitter::step(const FitStep& s) {
  FitResult result = trial(s);
  move_latents(s);
  move_networks(s);
  return result;
}

FitResult Fitter::trial(const FitStep& s) {
  thin_ = s.lr_params > 0 ? s.thin : 0;
  rough_ = s.temperature > 0;
  quantise(s);
  return forward_backward(s.lambda);
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

void Fitter::move_latents(const FitStep& s) {
  ++steps_;
  if (s.lr_latents <= 0) return;
  const float correction1 = float(1 / (1 - std::pow(double(kBeta1), double(steps_))));
  const float correction2 = float(1 / (1 - std::pow(double(kBeta2), double(steps_))));
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
}

void Fitter::move_networks(const FitStep& s) { networks_.step(gparams_, s, double(width_) * height_); }

}  // namespace wyner
