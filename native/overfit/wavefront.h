// Codes one latent grid in wavefront order (docs/spec/overfit.md, section 7). Decoder, encoder and bit
// counter share this code; see coder/symbol_coder.h for what a Coder is.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "kernels/overfit_kernels.h"
#include "overfit/features.h"
#include "overfit/network.h"
#include "overfit/plane.h"
#include "overfit/side_inputs.h"

namespace wyner::overfit {

constexpr int kMaxLatent = 4095;

ArmPlan make_arm_plan(const Network& net);
// Throws Error(unsupported) if the sizes of the model have no kernel.
ArmFunction* find_arm(const Network& net);

// The skewed window over the latents, features and side contexts of one band, a stretch of steps at a time.
class BandWindow {
 public:
  static constexpr int kSteps = 64;

  // All must outlive this.
  BandWindow(const Network& net, const SideInputs& side, int grid, const std::vector<Plane>& latents);

  // Starts the band whose first row is r0.
  void start(const Plane& q, int r0, int rows);
  // Moves to the stretch that begins at step t0 (0, kSteps, 2 kSteps, ...).
  void advance(const Plane& q, int t0);

  int16_t* line(int step) { return lines_ + (kArmHistory + step) * kArmLine; }
  const int32_t* features(int step) const { return features_.data() + size_t(step) * stride_; }

 private:
  void fill_above(const Plane& q, int begin, int end, int t0);
  void fill_features(int t0);
  void fill_side(int t0);

  int fa_, pairs_, stride_;  // pairs of features
  Features source_;
  const SideInputs& side_;
  int grid_;
  int r0_ = 0, rows_ = 0, width_;
  std::vector<int32_t> maps_;      // rows of feature pairs under this band
  std::vector<int32_t> features_;  // [step][pair][lane], then the pairs of side contexts
  alignas(64) int16_t lines_[(kArmHistory + kSteps) * kArmLine] = {};
};

inline int16_t scaled_latent(int32_t q, int fa) {
  return int16_t(std::clamp(q * (1 << fa), -32768, 32767));
}

// Codes the latents of grid `grid`, which all stand in (or, decoding, go to) latents[grid].
template <class Coder>
void code_grid(Coder& coder, const Network& net, const SideInputs& side, const ArmPlan& plan, ArmFunction* arm,
               int grid, std::vector<Plane>& latents) {
  Plane& q = latents[grid];
  const int width = q.width, fa = net.header.fa;
  BandWindow window(net, side, grid, latents);
  alignas(64) int32_t mu[kArmLanes], scale[kArmLanes];
  for (int r0 = 0; r0 < q.height; r0 += kArmLanes) {
    const int rows = std::min(kArmLanes, q.height - r0);
    const int steps = width + 3 * (rows - 1);
    window.start(q, r0, rows);
    for (int t0 = 0; t0 < steps; t0 += BandWindow::kSteps) {
      window.advance(q, t0);
      for (int t = t0; t < std::min(t0 + BandWindow::kSteps, steps); ++t) {
        int16_t* line = window.line(t - t0);
        arm(plan, line, window.features(t - t0), mu, scale);
        const int first = t < width ? 0 : (t - width) / 3 + 1, last = std::min(rows - 1, t / 3);
        for (int r = first; r <= last; ++r) {
          int16_t& latent = q.row(r0 + r)[t - 3 * r];
          const int32_t value = coder.symbol(mu[r], scale[r], latent);
          if (value < -kMaxLatent || value > kMaxLatent) coder.fail("a latent is not in -4095..4095");
          if constexpr (Coder::kDecodes) latent = int16_t(value);
          line[kArmAbove + r] = scaled_latent(value, fa);
        }
      }
    }
  }
}

}  // namespace wyner::overfit
