// SOAP (Vyas et al. 2024, algorithm 3): Adam in the eigenbasis of Shampoo's preconditioner. The networks of a fit
// are tiny matrices, so that it costs next to nothing beside their gradients.
#pragma once

#include <vector>

namespace wyner {

class Soap {
 public:
  struct Shape {
    int offset, rows, cols;  // row-major in the parameter vector
  };

  explicit Soap(const std::vector<Shape>& shapes);

  // One step: params -= lr * update(gradient).
  void step(std::vector<float>& params, const std::vector<float>& gradient, float lr);

 private:
  struct Block {
    Shape at;
    std::vector<float> left, right;      // averages of g g^T and g^T g
    std::vector<float> q_left, q_right;  // their bases, columns
    std::vector<float> first, second;    // moments; the second one in the basis
  };

  void update(Block& b, float* params, const float* g, float lr);

  std::vector<Block> blocks_;
  int steps_ = 0;
};

}  // namespace wyner
