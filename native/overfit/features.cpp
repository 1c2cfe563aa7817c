#include "overfit/features.h"

#include <algorithm>

namespace wyner::overfit {

namespace {

constexpr int kLevels = 3;  // coarser grids that features look at

Linear feature_map(const Network& net, int grid) {
  const int F = net.model.F, shift = net.header.k[kGroupIfc];
  Linear linear(2 * kLevels, F, shift, false);
  for (int f = 0; f < F; ++f) {
    for (int i = 0; i < 2 * kLevels; ++i) linear.set(f, i, net.tensor(kIfcW)[(grid * F + f) * 6 + i]);
    linear.add_bias(f, net.tensor(kIfcB)[grid * F + f] * (1 << net.header.fa));
  }
  return linear;
}

}  // namespace

Features::Features(const Network& net, int grid, const std::vector<Plane>& latents)
    : net_(net),
      latents_(latents),
      kernels_(row_kernels()),
      grid_(grid),
      width_((latents[grid].width + 1) / 2),
      linear_(feature_map(net, grid)),
      inputs_(2 * kLevels, Row(width_)),
      outputs_(net.model.F, Row(width_)),
      narrow_(width_),
      scratch_(width_ + 2) {}

void Features::load_inputs(int m, int y) {
  const Plane& q = latents_[grid_ + 1 + m];
  if (loaded_[m] == y) return;
  loaded_[m] = y;
  const int fa = net_.header.fa;
  Row& narrow = narrow_;
  kernels_.scale(q.row(y), narrow.begin(), fa, q.width);
  kernels_.repeat(narrow.begin(), inputs_[2 * m].begin(), m, width_);
  kernels_.blur(q.row(std::max(y - 1, 0)), q.row(y), q.row(std::min(y + 1, q.height - 1)),
                scratch_.data(), narrow.begin(), fa - 4, q.width);
  kernels_.repeat(narrow.begin(), inputs_[2 * m + 1].begin(), m, width_);
}

void Features::row(int y, int32_t* out) {
  const int16_t* in[2 * kLevels];
  for (int m = 0; m < kLevels; ++m) {
    if (grid_ + 1 + m < net_.header.grids) load_inputs(m, y >> m);
    in[2 * m] = inputs_[2 * m].begin();  // of an absent grid: zeros, with zero weights
    in[2 * m + 1] = inputs_[2 * m + 1].begin();
  }
  int16_t* maps[kMaxFeatures];
  for (int f = 0; f < net_.model.F; ++f) maps[f] = outputs_[f].begin();
  kernels_.linear(linear_.plan(), in, maps, width_);
  for (int p = 0; p < pairs(); ++p)
    for (int x = 0; x < width_; ++x) out[p * width_ + x] = pack_pair(maps[2 * p][x], maps[2 * p + 1][x]);
}

}  // namespace wyner::overfit
