#include "overfit/weight_rounding.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "coder/symbol_coder.h"

namespace wyner::overfit {

namespace {

constexpr int kLanes = 8;
constexpr int kSweeps = 12;
constexpr int kTried = 8;  // integers from the nearest towards the mean

// Fixed partial sums, which a compiler may put into a vector.
double dot(const double* a, const double* b, int n) {
  double sum[kLanes] = {};
  int i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (int l = 0; l < kLanes; ++l) sum[l] += a[i + l] * b[i + l];
  double total = 0;
  for (; i < n; ++i) total += a[i] * b[i];
  for (double s : sum) total += s;
  return total;
}

void add_scaled(double* out, const double* a, double factor, int n) {
  for (int i = 0; i < n; ++i) out[i] += factor * a[i];
}

void rotate_rows(double* a, double* b, double c, double s, int n) {
  for (int i = 0; i < n; ++i) {
    const double x = a[i], y = b[i];
    a[i] = c * x - s * y;
    b[i] = s * x + c * y;
  }
}

// Jacobi's method by one-sided rotations: rows of `a` (symmetric) become orthogonal, `a` = diag(values) q with the
// rows of q the eigenvectors up to the order.
void eigen(std::vector<double>& a, std::vector<double>& q, std::vector<double>& values, int n) {
  q.assign(size_t(n) * n, 0.0);
  for (int i = 0; i < n; ++i) q[size_t(i) * n + i] = 1;
  for (int sweep = 0; sweep < kSweeps; ++sweep) {
    bool rotated = false;
    for (int i = 0; i < n; ++i)
      for (int j = i + 1; j < n; ++j) {
        double *x = &a[size_t(i) * n], *y = &a[size_t(j) * n];
        const double xx = dot(x, x, n), yy = dot(y, y, n), xy = dot(x, y, n);
        if (xy * xy <= 1e-20 * xx * yy) continue;
        rotated = true;
        const double zeta = (yy - xx) / (2 * xy);
        const double t = (zeta >= 0 ? 1 : -1) / (std::abs(zeta) + std::sqrt(1 + zeta * zeta));
        const double c = 1 / std::sqrt(1 + t * t), s = c * t;
        rotate_rows(x, y, c, s, n);
        rotate_rows(&q[size_t(i) * n], &q[size_t(j) * n], c, s, n);
      }
    if (!rotated) break;
  }
  values.resize(n);
  for (int i = 0; i < n; ++i) values[i] = dot(&a[size_t(i) * n], &q[size_t(i) * n], n);
}

double cost_of(int32_t value, int32_t scale) {
  SymbolCost coder;
  coder.symbol(0, scale, value);
  return coder.take();
}

}  // namespace

std::vector<double> low_rank_matrix(const double* probes, const double* images, int r, int n) {
  std::vector<double> core(size_t(r) * r), vectors, values;
  for (int i = 0; i < r; ++i)
    for (int j = 0; j < r; ++j) core[size_t(i) * r + j] = dot(probes + size_t(i) * n, images + size_t(j) * n, n);
  for (int i = 0; i < r; ++i)
    for (int j = 0; j < i; ++j)
      core[size_t(i) * r + j] = core[size_t(j) * r + i] = 0.5 * (core[size_t(i) * r + j] + core[size_t(j) * r + i]);
  eigen(core, vectors, values, r);
  const double largest = *std::max_element(values.begin(), values.end());
  std::vector<double> out(size_t(n) * n), direction(n);
  for (int e = 0; e < r; ++e) {
    if (values[e] <= 1e-6 * largest || values[e] <= 0) continue;  // noise, or no curvature
    std::fill(direction.begin(), direction.end(), 0.0);
    for (int i = 0; i < r; ++i) add_scaled(direction.data(), images + size_t(i) * n, vectors[size_t(e) * r + i], n);
    for (int i = 0; i < n; ++i) add_scaled(&out[size_t(i) * n], direction.data(), direction[i] / values[e], n);
  }
  return out;
}

std::vector<double> upper_factor(const double* a, int n) {
  std::vector<double> r(size_t(n) * n);
  for (int j = n - 1; j >= 0; --j) {
    const double* row = &r[size_t(j) * n];
    const int later = n - 1 - j;
    const double square = a[size_t(j) * n + j] - dot(row + j + 1, row + j + 1, later);
    if (!(square > 0)) throw Error(ErrorKind::argument, "the matrix is not positive definite");
    const double pivot = std::sqrt(square);
    r[size_t(j) * n + j] = pivot;
    for (int i = 0; i < j; ++i) {
      double* other = &r[size_t(i) * n];
      other[j] = (a[size_t(i) * n + j] - dot(other + j + 1, row + j + 1, later)) / pivot;
    }
  }
  return r;
}

std::vector<int32_t> round_in_turn(const RoundingTask& task) {
  std::vector<int32_t> out(task.n);
  std::vector<double> pull(task.n);  // sum over earlier weights of factor times error
  for (int i = 0; i < task.n; ++i) {
    const double* row = task.factor + size_t(i) * task.n;
    const double unit = std::ldexp(1.0, -task.bits[i]);
    const double wanted = (task.weights[i] + pull[i] / row[i]) / unit - task.mean[i];
    const double stiffness = 0.5 * (row[i] * unit) * (row[i] * unit);
    const int32_t nearest = int32_t(std::lround(std::clamp(wanted, -20000.0, 20000.0)));
    const int32_t inward = nearest > 0 ? -1 : 1;
    int32_t best = 0;
    double least = INFINITY;
    auto consider = [&](int32_t candidate) {
      const double error = wanted - candidate;
      const double cost = stiffness * error * error + task.rate * cost_of(candidate, task.scale[i]);
      if (cost < least) least = cost, best = candidate;
    };
    consider(0);
    for (int32_t c = nearest, tried = 0; c != 0 && tried < kTried; c += inward, ++tried) consider(c);
    out[i] = best + task.mean[i];
    const double error = task.weights[i] - out[i] * unit;
    add_scaled(&pull[i], row + i, error, task.n - i);
  }
  return out;
}

}  // namespace wyner::overfit
