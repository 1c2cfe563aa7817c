// Builds the packed weights of a LinearPlan (kernels/overfit_kernels.h). Not for kernel units.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/overfit_kernels.h"

namespace wyner {

// Half of one unit after a shift by n: what turns a floor shift into rounding.
inline int32_t rounding(int n) { return n == 0 ? 0 : 1 << (n - 1); }

// Two 16-bit weights in one word, the first in the low half.
inline int32_t pack_pair(int32_t first, int32_t second) {
  return int32_t((uint32_t(first) & 0xffff) | (uint32_t(second) << 16));
}

class Linear {
 public:
  // Every output starts as zero weights and a bias that only rounds.
  Linear(int inputs, int outputs, int shift, bool relu)
      : pairs_((inputs + 1) / 2),
        outputs_(outputs),
        shift_(shift),
        relu_(relu),
        weights_(size_t(pairs_) * outputs),
        bias_(outputs, rounding(shift)) {}

  void set(int output, int input, int32_t weight) {
    int32_t& word = weights_[size_t(output) * pairs_ + input / 2];
    word = input % 2 ? pack_pair(word, weight) : pack_pair(weight, word >> 16);
  }
  void add_bias(int output, int32_t value) { bias_[output] += value; }

  LinearPlan plan() const { return {pairs_, outputs_, weights_.data(), bias_.data(), shift_, relu_}; }

 private:
  int pairs_, outputs_, shift_;
  bool relu_;
  std::vector<int32_t> weights_, bias_;
};

}  // namespace wyner
