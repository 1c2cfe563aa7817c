// From coarse displacements to the vectors of a field, by cost in bits.
#pragma once

#include <algorithm>
#include <vector>

#include "side/block_match.h"
#include "side/coarse_search.h"
#include "side/field.h"
#include "side/overlap.h"

namespace wyner::side {

// What the coder spends on a component's difference to its prediction, roughly.
class VectorBits {
 public:
  float of(Vector error) const {
    return component(zero_x_, nonzero_x_, error.x) + component(zero_y_, nonzero_y_, error.y);
  }

  // Learns how often differences are zero.
  void learn(const Field& field);

 private:
  static float component(float zero, float nonzero, int error);

  float zero_x_ = 1.0f, nonzero_x_ = 1.0f, zero_y_ = 0.2f, nonzero_y_ = 3.0f;
};

// A few vectors without repetition.
class Candidates {
 public:
  void add(Vector v) {
    if (std::find(vectors_.begin(), vectors_.end(), v) == vectors_.end()) vectors_.push_back(v);
  }
  auto begin() const { return vectors_.begin(); }
  auto end() const { return vectors_.end(); }

 private:
  std::vector<Vector> vectors_;
};

class Refiner {
 public:
  // Luma planes of luma.h; fills in `field`.
  Refiner(const Plane& x, const Plane& y, Field& field, Coding coding);

  // Chooses among coarse displacements and those of blocks before, then searches around.
  void start(const CoarseField& coarse);
  // Lets each block change to a neighbour's vector, to one nearby or to no prediction, counting what that
  // costs the blocks around it.
  void sweep(bool backwards);
  // The same for valid blocks, which stay valid, with predictions blended as the decoder will.
  void sweep_blended(bool backwards);
  // Clears the vectors of invalid blocks.
  void finish();

 private:
  Block block(int column, int row) const;
  // Bits that coding the block takes beside its prediction at v.
  float data_bits(int column, int row, Vector v) const;
  // Of the vector of this block if it is valid.
  float own_vector_bits(int column, int row) const;
  // Of this block's vector and validity, and of all that are predicted from it, if it were so.
  float field_bits_around(int column, int row, Vector v, bool valid);
  float validity_bits(int column, int row) const;
  // Vectors that a block might change to.
  Candidates first_candidates(int column, int row, const CoarseField& coarse) const;
  Candidates around(int column, int row, Vector own) const;
  // Moves along the axes while that is cheaper, by smaller and smaller steps, in quarter pixels.
  void descend(int column, int row, int first_step);
  void sweep_block(int column, int row);
  void sweep_block_blended(int column, int row, Overlap& overlap);
  Vector vector(int column, int row) const { return field_.vectors[field_.at(column, row)]; }
  Vector guess(int column, int row) const;

  const Plane &x_, &y_;
  Field& field_;
  Coding coding_;
  VectorBits bits_;
  std::vector<float> data_;     // bits of each block at its present vector
  std::vector<float> without_;  // without a prediction
};

}  // namespace wyner::side
