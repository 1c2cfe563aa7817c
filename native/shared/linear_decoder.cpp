#include "shared/linear_decoder.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace wyner::shared {

namespace {

constexpr float kBeta1 = 0.9f, kBeta2 = 0.999f, kEps = 1e-8f;

// A float in [-1, 1) for every position and seed, by splitmix64.
float uniform(uint32_t seed, uint64_t position) {
  uint64_t x = (uint64_t(seed) << 32) + (position + 1) * 0x9E3779B97F4A7C15u;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  x ^= x >> 31;
  return std::ldexp(float(x >> 40), -23) - 1.0f;
}

float dot(const float* a, const float* b, size_t n) {
  float sum = 0;
  for (size_t i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

// e^-|t| serves both halves of the sigmoid, and keeps the digits of what is near to 0 or 1.
float sigmoid(float t) {
  const float q = std::exp(-std::fabs(t));
  return (t >= 0 ? 1.0f : q) / (1 + q);
}

struct Error {
  float value;  // sigmoid(t) - target
  float slope;  // derivative of the sigmoid at t
};

Error error_at(float t, float target) {
  const float q = std::exp(-std::fabs(t)), small = q / (1 + q);
  return {t >= 0 ? (1 - target) - small : small - target, small / (1 + q)};
}

std::vector<float> transposed(const float* from, size_t rows, size_t cols) {
  std::vector<float> out(rows * cols);
  for (size_t r = 0; r < rows; ++r)
    for (size_t c = 0; c < cols; ++c) out[c * rows + r] = from[r * cols + c];
  return out;
}

}  // namespace

void decode(const LinearDecoder& decoder, const float* codes, size_t count, float* out) {
  const size_t latents = decoder.latents;
  for (size_t k = 0; k < count; ++k)
    for (size_t p = 0; p < decoder.pixels; ++p)
      *out++ = sigmoid(decoder.bias[p] + dot(&decoder.weights[p * latents], codes + k * latents, latents));
}

// One step of Adam (Kingma and Ba 2015, algorithm 1) on parameters of which the gradient is known.
struct LinearFit::Adam {
  float rate, correction;

  Adam(float lr, int64_t steps)
      : rate(float(lr / (1 - std::pow(double(kBeta1), double(steps))))),
        correction(float(1 / (1 - std::pow(double(kBeta2), double(steps))))) {}

  void operator()(float& parameter, float gradient, float& first, float& second) const {
    first += (gradient - first) * (1 - kBeta1);
    second += (gradient * gradient - second) * (1 - kBeta2);
    parameter -= rate * first / (std::sqrt(second * correction) + kEps);
  }
};

LinearFit::LinearFit(const float* images, size_t count, size_t pixels, size_t latents, uint32_t seed)
    : LinearFit(images, count,
                {pixels, latents, std::vector<float>(pixels * latents), std::vector<float>(pixels)}) {
  decoder_moves_ = true;
  weight_moments_ = Moments(pixels * latents);
  bias_moments_ = Moments(pixels);
  // Random codes alone tell the latents apart. With weights of 0, pixels that are alike in all images stay alike.
  for (size_t i = 0; i < codes_.size(); ++i) codes_[i] = std::sqrt(3.0f) * uniform(seed, i);
}

LinearFit::LinearFit(const float* images, size_t count, LinearDecoder decoder)
    : count_(count),
      decoder_(std::move(decoder)),
      decoder_moves_(false),
      targets_(transposed(images, count, decoder_.pixels)),
      codes_(count * decoder_.latents),
      code_gradient_(codes_.size()),
      row_gradient_(decoder_.latents),
      weight_moments_(0),
      bias_moments_(0),
      code_moments_(codes_.size()) {}

template <class Use>
double LinearFit::sweep(Use use) {
  const size_t latents = decoder_.latents;
  std::fill(code_gradient_.begin(), code_gradient_.end(), 0.0);
  double sum = 0;
  for (size_t p = 0; p < decoder_.pixels; ++p) {
    const float* row = &decoder_.weights[p * latents];
    const float* targets = &targets_[p * count_];
    std::fill(row_gradient_.begin(), row_gradient_.end(), 0.0f);
    float bias_gradient = 0;
    for (size_t k = 0; k < count_; ++k) {
      const float* code = &codes_[k * latents];
      const Error error = error_at(decoder_.bias[p] + dot(row, code, latents), targets[k]);
      sum += double(error.value) * error.value;
      const float g = 2 * error.value * error.slope;
      bias_gradient += g;
      for (size_t i = 0; i < latents; ++i) {
        row_gradient_[i] += g * code[i];
        code_gradient_[k * latents + i] += double(g) * row[i];
      }
    }
    use(p, row_gradient_.data(), bias_gradient);
  }
  return sum;
}

double LinearFit::loss() {
  return sweep([](size_t, const float*, float) {}) / double(targets_.size());
}

LinearGradients LinearFit::gradients() {
  const size_t latents = decoder_.latents;
  const double scale = 1 / double(targets_.size());
  LinearGradients out{0, std::vector<float>(decoder_.weights.size()), std::vector<float>(decoder_.pixels),
                      std::vector<float>(codes_.size())};
  const double sum = sweep([&](size_t p, const float* row, float bias) {
    for (size_t i = 0; i < latents; ++i) out.weights[p * latents + i] = float(row[i] * scale);
    out.bias[p] = float(bias * scale);
  });
  out.loss = sum * scale;
  for (size_t i = 0; i < codes_.size(); ++i) out.codes[i] = float(code_gradient_[i] * scale);
  return out;
}

// The gradient is that of the sum of squared errors, not of their mean. Adam's step is the same for both but for its
// small constant, which thereby means the same for pictures of all sizes.
void LinearFit::step(float lr) {
  const size_t latents = decoder_.latents;
  const Adam adam(lr, ++steps_);
  if (decoder_moves_) {
    Moments &w = weight_moments_, &b = bias_moments_;
    sweep([&](size_t p, const float* row, float bias) {
      for (size_t i = 0, at = p * latents; i < latents; ++i, ++at)
        adam(decoder_.weights[at], row[i], w.first[at], w.second[at]);
      adam(decoder_.bias[p], bias, b.first[p], b.second[p]);
    });
  } else {
    sweep([](size_t, const float*, float) {});
  }
  for (size_t i = 0; i < codes_.size(); ++i)
    adam(codes_[i], float(code_gradient_[i]), code_moments_.first[i], code_moments_.second[i]);
}

}  // namespace wyner::shared
