// Quantising the networks of the overfit codec with the curvature of the loss. Encoder only; doubles, one thread
// and a fixed order of operations, so that the file does not depend on the machine's linear algebra.
#pragma once

#include <cstdint>
#include <vector>

namespace wyner::overfit {

// The positive semidefinite n x n matrix V diag(max(0, .)) V^T of low rank that maps each probe to about its image
// (Nystrom approximation). probes, images: r x n, row-major.
std::vector<double> low_rank_matrix(const double* probes, const double* images, int r, int n);

// The upper triangle R with a = R R^T (zeros below), for a positive definite; otherwise an Error.
std::vector<double> upper_factor(const double* a, int n);

struct RoundingTask {
  int n;
  const double* weights;   // before quantisation
  const double* factor;    // n x n upper_factor of the Hessian of the loss, in the order of the weights
  const int32_t* bits;     // fractional bits of each weight
  const int32_t* mean;     // prior mean as an integer of these bits
  const int32_t* scale;    // scale index of the Laplace distribution of (integer - mean), 0..208
  double rate;             // loss of one bit
};

// Integers one after another, each chosen for the loss that is left after the best change of all later weights and
// for its own bits. With d the errors so far and H = R R^T the loss is |R^T d|^2 / 2, whose entry i holds only
// errors up to the i-th.
std::vector<int32_t> round_in_turn(const RoundingTask& task);

}  // namespace wyner::overfit
