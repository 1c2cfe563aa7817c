// Prefilter and upsampling of the latents, row by row (docs/spec/overfit.md, section 8).
#pragma once

#include <vector>

#include "kernels/overfit_kernels.h"
#include "kernels/linear.h"
#include "overfit/network.h"
#include "overfit/plane.h"

namespace wyner::overfit {

// Computes rows of the planes U_i from the scaled latents of grid i and the planes U_{i+1}.
class Upsampler {
 public:
  // `coarser` holds the planes U_{i+1} (none for the coarsest grid). Both must outlive this.
  Upsampler(const Network& net, int grid, const Plane& latents, const std::vector<Plane>& coarser);

  // Row y of the 1 + coarser.size() planes goes to out.
  void row(int y, int16_t* const* out);

 private:
  void prefilter(int y, int16_t* out);
  void doubled(const Plane& from, int y, int16_t* out);

  const RowKernels& kernels_;
  const Plane& latents_;
  const std::vector<Plane>& coarser_;
  Linear pre_, even_, odd_;
  Row filtered_, narrow_;     // after the vertical filter, fine and coarse
  Row left_, right_;  // even and odd outputs of the horizontal doubling
};

// The planes U_1, or none if there is a single grid. `latents` are scaled: sat16(q << fu).
std::vector<Plane> upsample_to_grid_1(const Network& net, const std::vector<Plane>& latents, int threads);

}  // namespace wyner::overfit
