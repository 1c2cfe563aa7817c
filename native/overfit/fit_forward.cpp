// Forward phases of a fitting step. The rate of the latents and the synthesis go all the way back in one strip, while
// its rows are in the cache; what they ask of rows of their neighbours (the halo) is added in the order of strips.
#include <algorithm>
#include <numeric>

#include "overfit/fit_engine.h"

namespace wyner {

namespace {

void scale(float* values, int n, int by) {
  for (int j = 0; j < n; ++j) values[j] *= float(by);
}

}  // namespace

void Fitter::prefilter() {
  pool_.run(int(strips_.size()), [&](int index, int thread) {
    const Strip& strip = strips_[index];
    Level& l = levels_[strip.grid];
    FilterTask t{};
    t.taps = networks_.params.data() + layout_.pre + 4 * strip.grid;
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

FeatureTask Fitter::feature_task(int i, int row0) {
  const int F = sizes_.F;
  Level& l = levels_[i];
  FeatureTask t{};
  t.F = F;
  t.weights = networks_.params.data() + layout_.ifc_w + i * F * 6;
  t.bias = networks_.params.data() + layout_.ifc_b + i * F;
  t.w = l.map_w;
  t.h = l.map_h;
  t.stride = l.features.stride;
  t.plane = l.map_plane;
  t.row0 = row0;
  t.row1 = std::min(row0 + kStripRows, l.map_h);
  t.features = l.features.at;
  t.gfeatures = l.gfeatures.at;
  for (int m = 0; m < 3 && i + 1 + m < grids_; ++m) {
    Level& from = levels_[i + 1 + m];
    t.q[m] = from.q.at;
    t.magnitude[m] = from.magnitude.at;
    t.source_stride[m] = from.q.stride;
    t.gq[m] = from.gq.at;
    t.gmagnitude[m] = from.gmagnitude.at;
    ++t.sources;
  }
  return t;
}

void Fitter::features_forward() {
  std::vector<Strip> tasks;
  for (int i = 0; i < grids_; ++i)
    for (int r = 0; r < levels_[i].map_h; r += kStripRows) tasks.push_back({i, r, 0});
  pool_.run(int(tasks.size()), [&](int index, int thread) {
    FeatureTask t = feature_task(tasks[index].grid, tasks[index].row0);
    t.scratch = scratch(thread, kernels_.feature_scratch_floats(t.w));
    kernels_.features_forward(t);
  });
}

void Fitter::arm(float lambda, FitResult& result) {
  const int n = layout_.ifc_w, count = int(strips_.size());
  const int stride0 = levels_[0].q.stride;
  float* parts = this->parts(size_t(count) * n);
  float* halo = this->halo(size_t(count) * kPadRows * stride0);
  std::vector<double> bits(count);
  pool_.run(count, [&](int index, int thread) {
    const Strip& strip = strips_[index];
    Level& l = levels_[strip.grid];
    ArmTask t{};
    t.S = sizes_.S;
    t.F = sizes_.F;
    t.N = sizes_.N;
    t.E = sizes_.E;
    t.params = networks_.params.data();
    t.w = l.w;
    t.h = l.h;
    t.stride = l.q.stride;
    t.row0 = strip.row0;
    t.row1 = strip.row1;
    t.q = l.q.at;
    t.features = l.features.at;
    t.feature_stride = l.features.stride;
    t.feature_plane = l.map_plane;
    const float* side[kSideContexts];
    for (int e = 0; e < sizes_.E; ++e) side[e] = l.side[e].at;
    t.side = side;
    t.gradient_scale = lambda / (float(width_) * float(height_));
    // Of coarse grids there is too little to leave any out, or to gain by less precision.
    const bool fine = strip.grid < 2;
    t.thinning = thinning(fine ? thin_ : std::min(thin_, 1));
    t.gq = l.gq.at;
    t.halo = halo + size_t(index) * kPadRows * stride0;
    t.gfeatures = l.gfeatures.at;
    t.gparams = parts + size_t(index) * n;
    t.scratch = scratch(thread, kernels_.arm_scratch_floats(t.w, t.E));
    (fine && rough_ && rough_arm_ ? rough_arm_ : kernels_.arm)(t);
    scale(t.gparams, n, t.thinning.every);
    bits[index] = t.bits;
  });
  reduce(0, n, parts, count, n);
  result.grid_bits.assign(grids_, 0.0);
  for (int index = 0; index < count; ++index) {
    const Strip& strip = strips_[index];
    Level& l = levels_[strip.grid];
    result.grid_bits[strip.grid] += bits[index];
    for (int k = 0; k < kPadRows && strip.row0 > 0; ++k) {
      const float* src = halo + (size_t(index) * kPadRows) * stride0 + k * l.q.stride;
      float* dst = l.gq.at + (strip.row0 - kPadRows + k) * l.gq.stride;
      for (int x = 0; x < l.w; ++x) dst[x] += src[x];
    }
  }
}

void Fitter::upsample() {
  for (int i = grids_ - 2; i > 0; --i) {
    Level &to = levels_[i], &from = levels_[i + 1];
    const int strips = strips_of(to.h), planes = int(from.u.size());
    pool_.run(strips * planes, [&](int index, int thread) {
      const int p = index / strips, row0 = index % strips * kStripRows;
      FilterTask t{};
      t.taps = networks_.params.data() + layout_.up + 4 * i;
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
  const int n = layout_.end - layout_.syn, coarse = grids_ - 1;
  const int strips = (height_ + kSynthRows - 1) / kSynthRows, halo_floats = coarse ? 4 * coarse * levels_[1].q.stride : 0;
  const double samples = double(planes_) * width_ * height_;
  float* parts = this->parts(size_t(strips) * (n + 4));
  float* halo = this->halo(size_t(strips) * halo_floats);
  std::vector<double> error(strips);
  const float *v[9], *side[kSidePlanes];
  for (int k = 0; k < sizes_.X; ++k) side[k] = side_[k].at;
  float* gv[9];
  for (int k = 0; k < coarse; ++k) {
    v[k] = levels_[1].u[k].at;
    gv[k] = levels_[1].gu[k].at;
  }
  pool_.run(strips, [&](int index, int thread) {
    SynthTask t{};
    t.G = grids_;
    t.M = sizes_.M;
    t.X = sizes_.X;
    t.planes = planes_;
    t.params = networks_.params.data() + layout_.syn;
    t.taps = networks_.params.data() + layout_.up;
    t.w = width_;
    t.h = height_;
    t.stride = image_.stride;
    t.row0 = index * kSynthRows;
    t.row1 = std::min(t.row0 + kSynthRows, height_);
    t.u0 = levels_[0].u[0].at;
    t.v = v;
    t.v_stride = coarse ? levels_[1].q.stride : 0;
    t.side = side;
    t.image = image_.at;
    t.image_plane = image_plane_;
    t.gradient_scale = float(2.0 / samples);
    t.thinning = thinning(thin_);
    t.gu0 = levels_[0].gu[0].at;
    t.gv = gv;
    t.halo = halo + size_t(index) * halo_floats;
    t.gparams = parts + size_t(index) * (n + 4);
    t.scratch = scratch(thread, kernels_.synth_scratch_floats(width_, grids_, sizes_.X));
    kernels_.synth(t);
    scale(t.gparams, n, t.thinning.every);
    std::copy_n(t.gtaps, 4, t.gparams + n);
    error[index] = t.squared_error;
  });
  reduce(layout_.syn, n, parts, strips, n + 4);
  if (coarse) reduce(layout_.up, 4, parts + n, strips, n + 4);
  for (int index = 0; index < strips; ++index) add_synthesis_halo(index, halo + size_t(index) * halo_floats);
  result.mse = std::accumulate(error.begin(), error.end(), 0.0) / samples;
}

// What a strip of the synthesis asks of rows of its neighbours, before the finest upsampling.
void Fitter::add_synthesis_halo(int strip, const float* halo) {
  if (grids_ == 1) return;
  Level& l = levels_[1];
  const int row0 = strip * kSynthRows / 2, row1 = std::min(row0 + kSynthRows / 2, l.h);
  for (int slot = 0; slot < 4; ++slot) {
    const int y = slot < 2 ? row0 - 2 + slot : row1 + slot - 2;
    if (y < 0 || y >= l.h) continue;
    for (size_t k = 0; k < l.gu.size(); ++k) {
      const float* src = halo + (slot * l.gu.size() + k) * l.q.stride;
      float* dst = l.gu[k].at + size_t(y) * l.q.stride;
      for (int x = 0; x < l.w; ++x) dst[x] += src[x];
    }
  }
}

}  // namespace wyner
