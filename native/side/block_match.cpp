#include "side/block_match.h"

#include <algorithm>
#include <cmath>

#include "base/stable_log2.h"
#include "side/luma.h"

namespace wyner::side {
namespace {

constexpr float kWeightOfMean = 1.0f / 16;
constexpr float kLumaSteps = 16;  // luma is in quarters of an 8-bit step
// In noises. A prediction does no harm where it errs by less than the codec; without one nothing is known.
constexpr float kUnknown = 0.5f;

}  // namespace

float mean_square_error(const Plane& x, const Plane& y, const Block& block, Vector v) {
  const SideKernels& kernels = side_kernels();
  int16_t predicted[kSideBlock * kSideBlock];
  predict(y, block, v, {0, kMaxLuma}, predicted);
  int sum = 0, squares = 0;  // at most 2^10 * 2^20
  for (int i = 0; i < block.height; ++i)
    sum += kernels.difference(x.row(block.top + i) + block.left, predicted + kSideBlock * i, block.width,
                              &squares);
  return mean_square(sum, squares, block.width * block.height);
}

float mean_square(int64_t sum, int64_t squares, int count) {
  const float mean = float(sum) / float(count);
  const float variance = std::max(0.0f, float(squares) / float(count) - mean * mean);
  return (variance + kWeightOfMean * mean * mean) / kLumaSteps;
}

float own_variance(const Plane& x, const Block& block) {
  int64_t sum = 0, squares = 0;
  for (int i = 0; i < block.height; ++i) {
    const int16_t* r = x.row(block.top + i) + block.left;
    for (int k = 0; k < block.width; ++k) {
      sum += r[k];
      squares += r[k] * r[k];
    }
  }
  const float count = float(block.width * block.height), mean = float(sum) / count;
  return std::max(0.0f, float(squares) / count - mean * mean) / kLumaSteps;
}

float bits_for(float mean_square, const Block& block, Coding coding) {
  return coding.use * 0.5f * float(block.width * block.height) * stable_log2(1 + mean_square / coding.noise);
}

float bits_without_prediction(const Plane& x, const Block& block, Coding coding) {
  return bits_for(own_variance(x, block) + kUnknown * coding.noise, block, coding);
}

}  // namespace wyner::side
