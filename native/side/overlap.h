// The blend of all blocks' predictions (docs/spec/side.md, section 4), kept while the estimator changes
// blocks.
#pragma once

#include <cstdint>
#include <vector>

#include "side/field.h"
#include "side/predict.h"

namespace wyner::side {

class Overlap {
 public:
  // Luma planes of luma.h. `field` must outlive this; blocks that are not valid take part with their vectors.
  Overlap(const Plane& x, const Plane& y, const Field& field);

  // The samples whose prediction a block has a part in: it and half a block around it.
  Block region(int column, int row) const;
  // Mean square of luma differences over that region if the block had the vector, as mean_square_error().
  float mean_square_error(int column, int row, Vector v) const;
  // To be called before the field's vector is changed to v.
  void change(int column, int row, Vector v);

 private:
  static constexpr int kReach = 2 * kSideBlock;

  // Of a block's prediction over its region, out of 64 each way.
  struct Weights {
    int16_t across[kReach], down[kReach];
  };
  Weights weights(int column, int row, const Block& region) const;
  int weight(int i, bool first, bool last) const;
  template <class Visit>
  void tiles(const Block& region, Visit visit) const;

  const Plane &x_, &y_;
  const Field& field_;
  std::vector<int32_t> blend_;  // out of 4096
};

}  // namespace wyner::side
