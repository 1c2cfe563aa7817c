#include "overfit/upsample.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "base/parallel.h"

namespace wyner::overfit {

namespace {

constexpr int kReach = 3;  // of the prefilter

Linear prefilter_taps(const Network& net, int grid) {
  Linear linear(2 * kReach + 1, 1, net.header.k[kGroupPre], false);
  for (int m = -kReach; m <= kReach; ++m)
    linear.set(0, m + kReach, net.tensor(kPreT)[grid * 4 + std::abs(m)]);
  return linear;
}

Linear doubling_taps(const Network& net, int stage, bool odd) {
  Linear linear(4, 1, net.header.k[kGroupUp], false);
  if (stage < net.header.grids - 1)  // there is no stage above the coarsest grid
    for (int i = 0; i < 4; ++i)
      linear.set(0, i, net.tensor(kUpT)[stage * 4 + (odd ? 3 - i : i)]);
  return linear;
}

}  // namespace

Upsampler::Upsampler(const Network& net, int grid, const Plane& latents,
                     const std::vector<Plane>& coarser)
    : kernels_(row_kernels()),
      latents_(latents),
      coarser_(coarser),
      pre_(prefilter_taps(net, grid)),
      even_(doubling_taps(net, grid, false)),
      odd_(doubling_taps(net, grid, true)),
      filtered_(latents.width),
      narrow_((latents.width + 1) / 2),
      left_((latents.width + 1) / 2),
      right_((latents.width + 1) / 2) {}

void Upsampler::row(int y, int16_t* const* out) {
  prefilter(y, out[0]);
  for (size_t p = 0; p < coarser_.size(); ++p) doubled(coarser_[p], y, out[1 + p]);
}

void Upsampler::prefilter(int y, int16_t* out) {
  const int16_t* in[2 * kReach + 2];
  for (int m = 0; m <= 2 * kReach + 1; ++m)
    in[m] = latents_.row(std::clamp(y + m - kReach, 0, latents_.height - 1));
  int16_t* vertical = filtered_.begin();
  kernels_.linear(pre_.plan(), in, &vertical, latents_.width);
  filtered_.extend(kReach + 1);
  for (int m = 0; m <= 2 * kReach + 1; ++m) in[m] = vertical + m - kReach;
  kernels_.linear(pre_.plan(), in, &out, latents_.width);
}

void Upsampler::doubled(const Plane& from, int y, int16_t* out) {
  const int first = y / 2 - 2 + (y & 1);
  const int16_t* in[4];
  for (int i = 0; i < 4; ++i) in[i] = from.row(std::clamp(first + i, 0, from.height - 1));
  int16_t* vertical = narrow_.begin();
  kernels_.linear((y & 1 ? odd_ : even_).plan(), in, &vertical, from.width);
  narrow_.extend(2);
  int16_t *left = left_.begin(), *right = right_.begin();
  for (int i = 0; i < 4; ++i) in[i] = vertical + i - 2;
  kernels_.linear(even_.plan(), in, &left, from.width);
  for (int i = 0; i < 4; ++i) in[i] = vertical + i - 1;
  kernels_.linear(odd_.plan(), in, &right, from.width);
  kernels_.zip(left, right, out, from.width);
}

std::vector<Plane> upsample_to_grid_1(const Network& net, const std::vector<Plane>& latents, int threads) {
  std::vector<Plane> coarser;
  for (int i = net.header.grids - 1; i >= 1; --i) {
    const Plane& q = latents[i];
    std::vector<Plane> planes(coarser.size() + 1, Plane(q.width, q.height));
    parallel_parts(q.height, threads, [&](int begin, int end) {
      Upsampler upsampler(net, i, q, coarser);
      std::vector<Row> rows(planes.size(), Row(q.width + 1));
      std::vector<int16_t*> out;
      for (Row& row : rows) out.push_back(row.begin());
      for (int y = begin; y < end; ++y) {
        upsampler.row(y, out.data());
        for (size_t p = 0; p < planes.size(); ++p)
          std::memcpy(planes[p].row(y), out[p], q.width * sizeof(int16_t));
      }
    });
    coarser = std::move(planes);
  }
  return coarser;
}

}  // namespace wyner::overfit
