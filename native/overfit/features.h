// Feature maps: what the entropy model of one grid sees of the coarser grids (spec, section 7).
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/overfit_kernels.h"
#include "kernels/linear.h"
#include "overfit/network.h"
#include "overfit/plane.h"

namespace wyner::overfit {

class Features {
 public:
  // `latents` must outlive this; grids coarser than `grid` must be final.
  Features(const Network& net, int grid, const std::vector<Plane>& latents);

  int pairs() const { return net_.model.F / 2; }
  // Width of the maps.
  int width() const { return width_; }

  // Row y of the maps: pair p of column x (features 2p, 2p + 1) goes to out[p * width() + x].
  void row(int y, int32_t* out);

 private:
  void load_inputs(int m, int y);

  const Network& net_;
  const std::vector<Plane>& latents_;
  const RowKernels& kernels_;
  int grid_, width_;
  Linear linear_;
  std::vector<Row> inputs_, outputs_;
  Row narrow_;
  std::vector<int32_t> scratch_;
  int loaded_[3] = {-1, -1, -1};  // the row of grid `grid + 1 + m` that inputs 2m, 2m + 1 hold
};

}  // namespace wyner::overfit
