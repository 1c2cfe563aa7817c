#include "side/estimate.h"

#include "side/coarse_search.h"
#include "side/luma.h"
#include "side/refine.h"

namespace wyner::side {

Field estimate(const Picture& x, const Picture& side, int block_size, float noise) {
  Field field(block_size, x.width, x.height);
  const Plane luma_x = luma_plane(x);
  Plane luma_y = luma_plane(side);
  match_exposure(luma_y, luma_x);
  Refiner refiner(luma_x, luma_y, field, noise);
  refiner.start(coarse_search(luma_x, luma_y));
  for (const bool backwards : {false, true, false}) refiner.sweep(backwards);
  refiner.decide_validity();
  refiner.sweep(true);
  refiner.finish();
  return field;
}

}  // namespace wyner::side
