#include "overfit/soap.h"

#include <algorithm>
#include <cmath>

namespace wyner {

namespace {

constexpr float kBeta1 = 0.9f, kBeta2 = 0.98f, kEps = 1e-12f;
constexpr float kBetaBasis = 0.95f;
constexpr int kBasisInterval = 10;

std::vector<float> identity(int n) {
  std::vector<float> q(size_t(n) * n, 0.0f);
  for (int i = 0; i < n; ++i) q[i * n + i] = 1;
  return q;
}

// out (r x c) = a (r x k) b (k x c); with kTransposeA, a is k x r; with kTransposeB, b is c x k.
template <bool kTransposeA, bool kTransposeB>
void multiply(const float* a, const float* b, float* out, int r, int k, int c) {
  std::fill_n(out, r * c, 0.0f);
  for (int i = 0; i < r; ++i)
    for (int j = 0; j < k; ++j) {
      const float x = kTransposeA ? a[j * r + i] : a[i * k + j];
      for (int l = 0; l < c; ++l) out[i * c + l] += x * (kTransposeB ? b[l * k + j] : b[j * c + l]);
    }
}

// q <- orthonormal basis of the columns of p q: one round of orthogonal iteration (Gram-Schmidt, twice).
void refine_basis(const std::vector<float>& p, std::vector<float>& q, int n) {
  std::vector<float> z(size_t(n) * n);
  multiply<false, false>(p.data(), q.data(), z.data(), n, n, n);
  for (int c = 0; c < n; ++c) {
    double before = 0;
    for (int i = 0; i < n; ++i) before += double(z[i * n + c]) * z[i * n + c];
    if (before < 1e-60) continue;  // a null direction keeps its old vector
    for (int pass = 0; pass < 2; ++pass)
      for (int d = 0; d < c; ++d) {
        double dot = 0;
        for (int i = 0; i < n; ++i) dot += double(q[i * n + d]) * z[i * n + c];
        for (int i = 0; i < n; ++i) z[i * n + c] -= float(dot) * q[i * n + d];
      }
    double norm = 0;
    for (int i = 0; i < n; ++i) norm += double(z[i * n + c]) * z[i * n + c];
    if (norm < 1e-10 * before) {
      q = identity(n);  // linearly dependent: begin again
      return;
    }
    for (int i = 0; i < n; ++i) q[i * n + c] = float(z[i * n + c] / std::sqrt(norm));
  }
}

void average(std::vector<float>& into, const std::vector<float>& value) {
  for (size_t i = 0; i < into.size(); ++i) into[i] += (value[i] - into[i]) * (1 - kBetaBasis);
}

}  // namespace

Soap::Soap(const std::vector<Shape>& shapes) {
  for (const Shape& s : shapes) {
    const size_t n = size_t(s.rows) * s.cols;
    if (!n) continue;
    blocks_.push_back({s, std::vector<float>(size_t(s.rows) * s.rows), std::vector<float>(size_t(s.cols) * s.cols),
                       identity(s.rows), identity(s.cols), std::vector<float>(n), std::vector<float>(n)});
  }
}

void Soap::step(std::vector<float>& params, const std::vector<float>& gradient, float lr) {
  ++steps_;
  for (Block& b : blocks_) update(b, params.data() + b.at.offset, gradient.data() + b.at.offset, lr);
}

void Soap::update(Block& b, float* params, const float* g, float lr) {
  const int r = b.at.rows, c = b.at.cols, n = r * c;
  std::vector<float> outer_left(size_t(r) * r), outer_right(size_t(c) * c), half(n), rotated(n), direction(n);
  multiply<false, true>(g, g, outer_left.data(), r, c, r);
  multiply<true, false>(g, g, outer_right.data(), c, r, c);
  average(b.left, outer_left);
  average(b.right, outer_right);
  if (steps_ == 2 || steps_ % kBasisInterval == 0) {
    refine_basis(b.left, b.q_left, r);
    refine_basis(b.right, b.q_right, c);
  }
  auto rotate = [&](const float* from, float* to) {
    multiply<true, false>(b.q_left.data(), from, half.data(), r, r, c);
    multiply<false, false>(half.data(), b.q_right.data(), to, r, c, c);
  };
  rotate(g, rotated.data());
  for (int i = 0; i < n; ++i) {
    b.first[i] += (g[i] - b.first[i]) * (1 - kBeta1);
    b.second[i] += (rotated[i] * rotated[i] - b.second[i]) * (1 - kBeta2);
  }
  rotate(b.first.data(), direction.data());
  const float correction1 = float(1 / (1 - std::pow(double(kBeta1), steps_)));
  const float correction2 = float(1 / (1 - std::pow(double(kBeta2), steps_)));
  double square = 0;
  for (int i = 0; i < n; ++i) {
    direction[i] *= correction1 / (std::sqrt(b.second[i] * correction2) + kEps);
    square += double(direction[i]) * direction[i];
  }
  // A sudden large gradient would throw a layer far off: at most a unit step per parameter on average.
  const float clip = float(std::min(1.0, std::sqrt(n / std::max(square, 1e-30))));
  lr *= clip;
  multiply<false, false>(b.q_left.data(), direction.data(), half.data(), r, r, c);
  multiply<false, true>(half.data(), b.q_right.data(), rotated.data(), r, c, c);
  for (int i = 0; i < n; ++i) params[i] -= lr * rotated[i];
}

}  // namespace wyner
