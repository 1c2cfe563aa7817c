// Backward phases of a fitting step, from the planes before the finest upsampling to the latents.
#include <algorithm>
#include <cstring>

#include "overfit/fit_engine.h"

namespace wyner {

void Fitter::upsample_backward() {
  for (int i = 1; i + 1 < grids_; ++i) {
    Level &to = levels_[i], &from = levels_[i + 1];
    const int strips = strips_of(from.h), planes = int(from.u.size()), count = strips * planes;
    float* parts = this->parts(size_t(count) * 4);
    pool_.run(count, [&](int index, int thread) {
      const int p = index / strips, row0 = index % strips * kStripRows;
      FilterTask t{};
      t.taps = networks_.params.data() + layout_.up + 4 * i;
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
      std::copy_n(t.gtaps, 4, parts + size_t(index) * 4);
    });
    reduce(layout_.up + 4 * i, 4, parts, count, 4);
  }
}

void Fitter::prefilter_backward() {
  const int count = int(strips_.size());
  float* parts = this->parts(size_t(count) * 4);
  pool_.run(count, [&](int index, int thread) {
    const Strip& strip = strips_[index];
    Level& l = levels_[strip.grid];
    FilterTask t{};
    t.taps = networks_.params.data() + layout_.pre + 4 * strip.grid;
    t.in = l.q.at;
    t.in_w = t.out_w = l.w;
    t.in_h = t.out_h = l.h;
    t.in_stride = l.q.stride;
    t.gout = l.gu[0].at;
    t.out_stride = l.gu[0].stride;
    t.gin = l.gq.at;
    t.row0 = strip.row0;
    t.row1 = strip.row1;
    t.scratch = scratch(thread, kernels_.filter_scratch_floats(kStripRows, l.w));
    kernels_.pre_backward(t);
    std::copy_n(t.gtaps, 4, parts + size_t(index) * 4);
    if (strip.grid == 0) return;  // no features come from the finest grid
    std::memset(l.gmagnitude.at + strip.row0 * l.gmagnitude.stride, 0,
                sizeof(float) * size_t(strip.row1 - strip.row0) * l.gmagnitude.stride);
  });
  std::fill_n(gparams_.begin() + layout_.pre, 4 * grids_, 0.0f);
  for (int s = 0; s < count; ++s)
    for (int j = 0; j < 4; ++j) gparams_[layout_.pre + 4 * strips_[s].grid + j] += parts[size_t(s) * 4 + j];
}

void Fitter::features_backward() {
  const int F = sizes_.F, n = 7 * F;
  for (int i = 0; i < grids_; ++i) {
    const int strips = strips_of(levels_[i].map_h);
    float* parts = this->parts(size_t(strips) * n);
    pool_.run(strips, [&](int index, int thread) {
      FeatureTask t = feature_task(i, index * kStripRows);
      t.scratch = scratch(thread, kernels_.feature_scratch_floats(t.w));
      kernels_.features_backward(t);
      std::copy_n(t.gweights, 6 * F, parts + size_t(index) * n);
      std::copy_n(t.gbias, F, parts + size_t(index) * n + 6 * F);
    });
    reduce(layout_.ifc_w + i * 6 * F, 6 * F, parts, strips, n);
    reduce(layout_.ifc_b + i * F, F, parts + 6 * F, strips, n);
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

}  // namespace wyner
