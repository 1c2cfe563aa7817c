#include "overfit/fit_engine.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>

#include "kernels/dispatch.h"

namespace wyner {

WYNER_DISPATCH(FitKernels, fit_kernels)

namespace {

constexpr int kStripRows = 32;
constexpr float kBeta1 = 0.7f, kBeta2 = 0.99f, kEps = 1e-8f;  // noise is fresh each step: short memories

int round_up(int v, int to) { return (v + to - 1) / to * to; }
int stride_of(int w) { return round_up(w, kBlock) + 2 * kPad; }
int strips_of(int rows) { return (rows + kStripRows - 1) / kStripRows; }

// The parameter vector as matrices, one per layer (one per grid for the features).
std::vector<Soap::Shape> matrices(const FitSizes& s, int grids, const FitLayout& at) {
  const int A = s.S + s.F, N = s.N, M = s.M, G = grids;
  std::vector<Soap::Shape> shapes;
  int offset = 0;
  auto add = [&](int rows, int cols) {
    shapes.push_back({offset, rows, cols});
    offset += rows * cols;
  };
  add(N, A), add(1, N), add(N, N), add(1, N), add(2, N), add(2, A), add(1, 2);
  for (int i = 0; i < G; ++i) add(s.F, 6);
  add(G, s.F), add(G - 1, 4), add(G, 4);
  add(M, G), add(1, M), add(3, M), add(3, G), add(1, 3);
  add(3, 27), add(1, 3), add(3, 27), add(1, 3);
  if (offset != at.end) throw std::logic_error("the matrices do not cover the parameters");
  return shapes;
}

}  // namespace

FitLayout::FitLayout(const FitSizes& s, int grids) {
  const int A = s.S + s.F;
  ifc_w = s.N * A + s.N + s.N * s.N + s.N + 2 * s.N + 2 * A + 2;
  ifc_b = ifc_w + grids * s.F * 6;
  up = ifc_b + grids * s.F;
  pre = up + (grids - 1) * 4;
  syn = pre + grids * 4;
  end = syn + s.M * grids + s.M + 3 * s.M + 3 * grids + 3 + 2 * (81 + 3);
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

Fitter::Fitter(const float* image, int planes, int width, int height, FitSizes sizes, int grids, int threads,
               uint32_t seed)
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
    l.u.resize(grids - i);
    l.gu.resize(grids - i);
    for (Plane& p : l.u) p.allocate(l.w, l.h);
    for (Plane& p : l.gu) p.allocate(l.w, l.h);
    for (int r = 0; r < l.h; r += kStripRows) strips_.push_back({i, r, std::min(r + kStripRows, l.h)});
  }
  image_.allocate(width, height * planes);
  image_plane_ = height * image_.stride;
  for (int y = 0; y < height * planes; ++y)
    std::memcpy(image_.at + size_t(y) * image_.stride, image + size_t(y) * width, sizeof(float) * width);
  gz_.allocate(width, height * 3);
  gz_plane_ = height * gz_.stride;
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

// gparams_[offset ..] = sum of `count` parts of n floats, in order.
void Fitter::reduce(int offset, int n, const std::vector<float>& parts, int count) {
  std::fill_n(gparams_.begin() + offset, n, 0.0f);
  for (int i = 0; i < count; ++i)
    for (int j = 0; j < n; ++j) gparams_[offset + j] += parts[size_t(i) * n + j];
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
  synthesis_backward();
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
      row.padded = round_up(l.w, kBlock);
      row.temperature = s.temperature;
      row.noise = s.noise;
      row.seed = seed_ + uint32_t(steps_) * 0x85ebca6bu + uint32_t(strip.grid) * 0xc2b2ae35u + uint32_t(y) * 0x27d4eb2fu;
      kernels_.quantise(row);
    }
  });
}

void Fitter::prefilter() {
  pool_.run(int(strips_.size()), [&](int index, int thread) {
    const Strip& strip = strips_[index];
    Level& l = levels_[strip.grid];
    FilterTask t{};
    t.taps = params_.data() + layout_.pre + 4 * strip.grid;
    t.in = l.q.at;
    t.in_w = t.out_w = l.w;
    t.in_h = t.out_h = l.h;
    t.in_stride = l.q.stride;
    t.out = l.u[0].at;
    t.out_stride = l.u[0].stride;
    t.row0 = strip.row0;
    t.row1 = strip.row1;
    t.scratch = scratch(thread, kernels_.filter_scratch_floats(kStripRows, l.w));
    kernels_.pre_forward(t);
    if (strip.grid == 0) return;
    MagnitudeTask mt{};
    mt.w = l.w;
    mt.h = l.h;
    mt.stride = l.q.stride;
    mt.row0 = strip.row0;
    mt.row1 = strip.row1;
    mt.q = l.q.at;
    mt.magnitude = l.magnitude.at;
    mt.scratch = scratch(thread, kernels_.feature_scratch_floats(l.w));
    kernels_.magnitude_forward(mt);
  });
}

namespace {

// The task of one strip of the maps of grid i, without what only one direction needs.
template <class Level>
FeatureTask feature_task(std::vector<Level>& levels, int i, int F, const float* params, const FitLayout& at, int row0) {
  Level& l = levels[i];
  FeatureTask t{};
  t.F = F;
  t.weights = params + at.ifc_w + i * F * 6;
  t.bias = params + at.ifc_b + i * F;
  t.w = l.map_w;
  t.h = l.map_h;
  t.stride = l.features.stride;
  t.plane = l.map_plane;
  t.row0 = row0;
  t.row1 = std::min(row0 + kStripRows, l.map_h);
  t.features = l.features.at;
  t.gfeatures = l.gfeatures.at;
  for (int m = 0; m < 3 && i + 1 + m < int(levels.size()); ++m) {
    Level& from = levels[i + 1 + m];
    t.q[m] = from.q.at;
    t.magnitude[m] = from.magnitude.at;
    t.source_stride[m] = from.q.stride;
    t.gq[m] = from.gq.at;
    t.gmagnitude[m] = from.gmagnitude.at;
    ++t.sources;
  }
  return t;
}

}  // namespace

void Fitter::features_forward() {
  std::vector<Strip> tasks;
  for (int i = 0; i < grids_; ++i)
    for (int r = 0; r < levels_[i].map_h; r += kStripRows) tasks.push_back({i, r, 0});
  pool_.run(int(tasks.size()), [&](int index, int thread) {
    FeatureTask t = feature_task(levels_, tasks[index].grid, sizes_.F, params_.data(), layout_, tasks[index].row0);
    t.scratch = scratch(thread, kernels_.feature_scratch_floats(t.w));
    kernels_.features_forward(t);
  });
}

void Fitter::arm(float lambda, FitResult& result) {
  const int n = layout_.ifc_w, count = int(strips_.size());
  const int stride0 = levels_[0].q.stride;
  parts_.assign(size_t(count) * n, 0.0f);
  halo_.assign(size_t(count) * kPadRows * stride0, 0.0f);
  std::vector<double> bits(count);
  pool_.run(count, [&](int index, int thread) {
    const Strip& strip = strips_[index];
    Level& l = levels_[strip.grid];
    ArmTask t{};
    t.S = sizes_.S;
    t.F = sizes_.F;
    t.N = sizes_.N;
    t.params = params_.data();
    t.w = l.w;
    t.h = l.h;
    t.stride = l.q.stride;
    t.row0 = strip.row0;
    t.row1 = strip.row1;
    t.q = l.q.at;
    t.features = l.features.at;
    t.feature_stride = l.features.stride;
    t.feature_plane = l.map_plane;
    t.gradient_scale = lambda / (float(width_) * float(height_));
    t.gq = l.gq.at;
    t.halo = halo_.data() + size_t(index) * kPadRows * stride0;
    t.gfeatures = l.gfeatures.at;
    t.gparams = parts_.data() + size_t(index) * n;
    t.scratch = scratch(thread, kernels_.arm_scratch_floats(t.S, t.F, t.N, t.stride));
    kernels_.arm(t);
    bits[index] = t.bits;
  });
  reduce(0, n, parts_, count);
  result.grid_bits.assign(grids_, 0.0);
  for (int index = 0; index < count; ++index) {
    const Strip& strip = strips_[index];
    Level& l = levels_[strip.grid];
    result.grid_bits[strip.grid] += bits[index];
    for (int k = 0; k < kPadRows && strip.row0 > 0; ++k) {
      const float* src = halo_.data() + (size_t(index) * kPadRows) * stride0 + k * l.q.stride;
      float* dst = l.gq.at + (strip.row0 - kPadRows + k) * l.gq.stride;
      for (int x = 0; x < l.w; ++x) dst[x] += src[x];
    }
  }
}

void Fitter::upsample() {
  for (int i = grids_ - 2; i >= 0; --i) {
    Level &to = levels_[i], &from = levels_[i + 1];
    const int strips = strips_of(to.h), planes = int(from.u.size());
    pool_.run(strips * planes, [&](int index, int thread) {
      const int p = index / strips, row0 = index % strips * kStripRows;
      FilterTask t{};
      t.taps = params_.data() + layout_.up + 4 * i;
      t.in = from.u[p].at;
      t.in_w = from.w;
      t.in_h = from.h;
      t.in_stride = from.u[p].stride;
      t.out = to.u[p + 1].at;
      t.out_w = to.w;
      t.out_h = to.h;
      t.out_stride = to.u[p + 1].stride;
      t.row0 = row0;
      t.row1 = std::min(row0 + kStripRows, to.h);
      t.scratch = scratch(thread, kernels_.filter_scratch_floats(kStripRows, from.w));
      kernels_.up_forward(t);
    });
  }
}

void Fitter::synthesis(FitResult& result) {
  const int n = layout_.end - layout_.syn, strips = strips_of(height_), stride = gz_.stride;
  const double samples = double(planes_) * width_ * height_;
  parts_.assign(size_t(strips) * n, 0.0f);
  halo_.assign(size_t(strips) * 12 * stride, 0.0f);
  std::vector<double> error(strips);
  const float* u[9];
  for (int i = 0; i < grids_; ++i) u[i] = levels_[0].u[i].at;
  pool_.run(strips, [&](int index, int thread) {
    SynthTask t{};
    t.G = grids_;
    t.M = sizes_.M;
    t.planes = planes_;
    t.params = params_.data() + layout_.syn;
    t.w = width_;
    t.h = height_;
    t.stride = stride;
    t.row0 = index * kStripRows;
    t.row1 = std::min(t.row0 + kStripRows, height_);
    t.u = u;
    t.image = image_.at;
    t.image_plane = image_plane_;
    t.gradient_scale = float(2.0 / samples);
    t.gz = gz_.at;
    t.gz_plane = gz_plane_;
    t.halo = halo_.data() + size_t(index) * 12 * stride;
    t.gparams = parts_.data() + size_t(index) * n;
    t.scratch = scratch(thread, kernels_.synth_scratch_floats(kStripRows, stride));
    kernels_.synth(t);
    error[index] = t.squared_error;
  });
  reduce(layout_.syn, n, parts_, strips);
  double total = 0;
  for (int index = 0; index < strips; ++index) {
    total += error[index];
    for (int slot = 0; slot < 4; ++slot) {
      const int row0 = index * kStripRows, row1 = std::min(row0 + kStripRows, height_);
      const int y = slot < 2 ? row0 - 2 + slot : row1 + slot - 2;
      if (y < 0 || y >= height_) continue;
      for (int o = 0; o < 3; ++o) {
        const float* src = halo_.data() + (size_t(index) * 12 + slot * 3 + o) * stride;
        float* dst = gz_.at + o * gz_plane_ + size_t(y) * stride;
        for (int x = 0; x < width_; ++x) dst[x] += src[x];
      }
    }
  }
  result.mse = total / samples;
}

void Fitter::synthesis_backward() {
  const int n = layout_.end - layout_.syn, strips = strips_of(height_);
  const int dense = n - 2 * (81 + 3);  // w1, b1, w2, wl, b2
  parts_.assign(size_t(strips) * n, 0.0f);
  const float* u[9];
  float* gu[9];
  for (int i = 0; i < grids_; ++i) {
    u[i] = levels_[0].u[i].at;
    gu[i] = levels_[0].gu[i].at;
  }
  pool_.run(strips, [&](int index, int) {
    MlpTask t{};
    t.G = grids_;
    t.M = sizes_.M;
    t.params = params_.data() + layout_.syn;
    t.w = width_;
    t.stride = gz_.stride;
    t.row0 = index * kStripRows;
    t.row1 = std::min(t.row0 + kStripRows, height_);
    t.u = u;
    t.gz = gz_.at;
    t.gz_plane = gz_plane_;
    t.gu = gu;
    t.gparams = parts_.data() + size_t(index) * n;
    kernels_.mlp(t);
  });
  std::fill_n(gparams_.begin() + layout_.syn, dense, 0.0f);
  for (int s = 0; s < strips; ++s)
    for (int j = 0; j < dense; ++j) gparams_[layout_.syn + j] += parts_[size_t(s) * n + j];
}

void Fitter::upsample_backward() {
  for (int i = 0; i + 1 < grids_; ++i) {
    Level &to = levels_[i], &from = levels_[i + 1];
    const int strips = strips_of(from.h), planes = int(from.u.size()), count = strips * planes;
    parts_.assign(size_t(count) * 4, 0.0f);
    pool_.run(count, [&](int index, int thread) {
      const int p = index / strips, row0 = index % strips * kStripRows;
      FilterTask t{};
      t.taps = params_.data() + layout_.up + 4 * i;
      t.in = from.u[p].at;
      t.in_w = from.w;
      t.in_h = from.h;
      t.in_stride = from.u[p].stride;
      t.gout = to.gu[p + 1].at;
      t.gin = from.gu[p].at;
      t.out_w = to.w;
      t.out_h = to.h;
      t.out_stride = to.u[p + 1].stride;
      t.row0 = row0;
      t.row1 = std::min(row0 + kStripRows, from.h);
      t.scratch = scratch(thread, kernels_.filter_scratch_floats(kStripRows, from.w));
      kernels_.up_backward(t);
      std::copy_n(t.gtaps, 4, parts_.begin() + size_t(index) * 4);
    });
    reduce(layout_.up + 4 * i, 4, parts_, count);
  }
}

void Fitter::prefilter_backward() {
  const int count = int(strips_.size());
  parts_.assign(size_t(count) * 4, 0.0f);
  pool_.run(count, [&](int index, int thread) {
    const Strip& strip = strips_[index];
    Level& l = levels_[strip.grid];
    FilterTask t{};
    t.taps = params_.data() + layout_.pre + 4 * strip.grid;
    t.in = l.q.at;
    t.in_w = t.out_w = l.w;
    t.in_h = t.out_h = l.h;
    t.in_stride = l.q.stride;
    t.gout = l.gu[0].at;
    t.out_stride = l.gu[0].stride;
    t.gin = l.gq.at;
    t.add_gin = true;
    t.row0 = strip.row0;
    t.row1 = strip.row1;
    t.scratch = scratch(thread, kernels_.filter_scratch_floats(kStripRows, l.w));
    kernels_.pre_backward(t);
    std::copy_n(t.gtaps, 4, parts_.begin() + size_t(index) * 4);
    std::memset(l.gmagnitude.at + strip.row0 * l.gmagnitude.stride, 0,
                sizeof(float) * size_t(strip.row1 - strip.row0) * l.gmagnitude.stride);
  });
  std::fill_n(gparams_.begin() + layout_.pre, 4 * grids_, 0.0f);
  for (int s = 0; s < count; ++s)
    for (int j = 0; j < 4; ++j) gparams_[layout_.pre + 4 * strips_[s].grid + j] += parts_[size_t(s) * 4 + j];
}

void Fitter::features_backward() {
  const int F = sizes_.F, n = 7 * F;
  for (int i = 0; i < grids_; ++i) {
    const int strips = strips_of(levels_[i].map_h);
    parts_.assign(size_t(strips) * n, 0.0f);
    pool_.run(strips, [&](int index, int thread) {
      FeatureTask t = feature_task(levels_, i, F, params_.data(), layout_, index * kStripRows);
      t.scratch = scratch(thread, kernels_.feature_scratch_floats(t.w));
      kernels_.features_backward(t);
      std::copy_n(t.gweights, 6 * F, parts_.begin() + size_t(index) * n);
      std::copy_n(t.gbias, F, parts_.begin() + size_t(index) * n + 6 * F);
    });
    for (int j = 0; j < n; ++j) {
      float total = 0;
      for (int s = 0; s < strips; ++s) total += parts_[size_t(s) * n + j];
      gparams_[j < 6 * F ? layout_.ifc_w + i * 6 * F + j : layout_.ifc_b + i * F + j - 6 * F] = total;
    }
  }
  pool_.run(int(strips_.size()), [&](int index, int thread) {
    const Strip& strip = strips_[index];
    if (strip.grid == 0) return;
    Level& l = levels_[strip.grid];
    MagnitudeTask t{};
    t.w = l.w;
    t.h = l.h;
    t.stride = l.q.stride;
    t.row0 = strip.row0;
    t.row1 = strip.row1;
    t.q = l.q.at;
    t.gmagnitude = l.gmagnitude.at;
    t.gq = l.gq.at;
    t.scratch = scratch(thread, kernels_.feature_scratch_floats(l.w));
    kernels_.magnitude_backward(t);
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
