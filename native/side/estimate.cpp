#include "side/estimate.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "side/coarse_search.h"
#include "side/field_coder.h"
#include "side/luma.h"
#include "side/refine.h"
#include "side/warp.h"

namespace wyner::side {
namespace {

constexpr int kCell = 8;

// Bits of the field and of x predicted by what it makes of the side picture, in cells of one size for every
// field.
float total_bits(const Picture& x, const Plane& luma_x, const Picture& side, const Field& field,
                 Coding coding) {
  std::vector<uint8_t> warped(size_t(x.width) * x.height * (x.maxval == 255 ? 1 : 2));
  std::vector<uint8_t> valid(size_t(x.width) * x.height);
  warp(side, field, x.width, x.height, 1, x.maxval, 1, warped.data(), valid.data());
  const Plane predicted = luma_plane({warped.data(), x.width, x.height, 1, x.maxval});
  double bits = 8.0 * double(encode_field(field).size());
  for (int top = 0; top < x.height; top += kCell)
    for (int left = 0; left < x.width; left += kCell) {
      const Block cell{left, top, std::min(kCell, x.width - left), std::min(kCell, x.height - top)};
      bool known = true;
      for (int y = top; y < top + cell.height; ++y) {
        const uint8_t* v = valid.data() + size_t(y) * x.width + left;
        known = known && std::all_of(v, v + cell.width, [](uint8_t flag) { return flag == 1; });
      }
      bits += known ? bits_for(mean_square_error(luma_x, predicted, cell, {}), cell, coding)
                    : bits_without_prediction(luma_x, cell, coding);
    }
  return float(bits);
}

Field refined(const Plane& x, const Plane& y, const CoarseField& coarse, int block_size, Coding coding) {
  Field field(block_size, x.width, x.height);
  Refiner refiner(x, y, field, coding);
  refiner.start(coarse);
  for (const bool backwards : {false, true, false, true}) refiner.sweep(backwards);
  for (const bool backwards : {false, true, false, true}) refiner.sweep_blended(backwards);
  refiner.finish();
  return field;
}

}  // namespace

Field estimate(const Picture& x, const Picture& side, int block_size, Coding coding) {
  Field(block_size ? block_size : 8, x.width, x.height);  // throws what is said in the header
  const Plane luma_x = luma_plane(x);
  Plane luma_y = luma_plane(side);
  match_exposure(luma_y, luma_x);
  const CoarseField coarse = coarse_search(luma_x, luma_y);
  if (block_size) return refined(luma_x, luma_y, coarse, block_size, coding);

  std::optional<Field> best;
  float least = INFINITY;
  for (const int size : {32, 16, 8}) {
    Field field = refined(luma_x, luma_y, coarse, size, coding);
    const float bits = total_bits(x, luma_x, side, field, coding);
    if (best && bits >= least) continue;
    least = bits;
    best = std::move(field);
  }
  return *std::move(best);
}

}  // namespace wyner::side
