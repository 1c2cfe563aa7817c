// Per-latent work of a fitting step: the quantiser proxy and Adam; and the unit's table of kernels.
//
// Soft rounding (Agustsson and Theis 2020, eq. 8): S(y) = floor(y) + 1/2 + tanh(r / T) / (2 tanh(1 / 2T)), r = y -
// floor(y) - 1/2. The proxy is S(S(y) + noise) as in C3 (Kim et al. 2024).
#include "kernels/fit_kernels.h"
#include "kernels/simd.h"

namespace wyner::WYNER_ISA {
void fit_arm(ArmTask& t);
int fit_arm_scratch(int width, int E);
void fit_synth(SynthTask& t);
int fit_synth_scratch(int width, int G, int X);
void up_forward(FilterTask& t);
void up_backward(FilterTask& t);
void pre_forward(FilterTask& t);
void pre_backward(FilterTask& t);
int filter_scratch(int rows, int width);
void features_forward(FeatureTask& t);
void features_backward(FeatureTask& t);
void magnitude_forward(MagnitudeTask& t);
void magnitude_backward(MagnitudeTask& t);
int feature_scratch(int width);
const FitKernels& fit_kernels();
}  // namespace wyner::WYNER_ISA

namespace {
using namespace wyner;

struct Rounded {
  V value, slope;
};

struct SoftRound {
  float k;      // 2 log2(e) / T
  float scale;  // 1 / (2 tanh(1 / 2T))
  float slope;  // scale / T

  // tanh(1/2T) from exp, since kernel units use no library.
  explicit SoftRound(float temperature) {
    constexpr float kLog2e = 1.44269504f;
    k = 2 * kLog2e / temperature;
    const float e = exp2v(splat(0.5f * k))[0];
    scale = 0.5f * (e + 1) / (e - 1);
    slope = scale / temperature;
  }

  Rounded operator()(V y) const {
    const V base = vfloor(y);
    const V r = y - base - 0.5f;
    const V e = exp2v(r * k);
    const V tanh = 1.0f - 2.0f / (e + 1.0f);
    return {base + 0.5f + tanh * scale, (1.0f - tanh * tanh) * slope};
  }
};

inline VU xorshift(VU& s) {
  s ^= s << 13;
  s ^= s >> 17;
  s ^= s << 5;
  return s;
}

inline uint32_t mix(uint32_t x) {
  x = (x ^ (x >> 16)) * 0x7feb352du;
  x = (x ^ (x >> 15)) * 0x846ca68bu;
  return x ^ (x >> 16);
}

// Sum of four uniform bytes, zero mean and unit variance: near enough to a normal distribution.
inline V normal(VU& state) {
  const VU r = xorshift(state);
  const VU s = (r & 255) + ((r >> 8) & 255) + ((r >> 16) & 255) + (r >> 24);
  return (__builtin_convertvector(reinterpret_cast<VI>(s), V) - 510.0f) * (1.0f / 147.79941f);
}

void quantise_hard(QuantiseRow& t, int x) {
  const V q = vfloor(load(t.y + x) + 0.5f);
  const VI inside = lane_index() + float(x) < splat(float(t.w));
  store(t.q + x, as_float(as_int(q) & inside));
  store(t.dq + x, splat(1.0f));
}

void quantise(QuantiseRow& t) {
  int x = 0;
  if (t.temperature <= 0) {
    for (; x < t.w; x += kLanes) quantise_hard(t, x);
  } else {
    const SoftRound soft(t.temperature);
    VU state;
    for (int i = 0; i < kLanes; ++i) state[i] = mix(t.seed + uint32_t(i) * 0x9e3779b9u) | 1;
    for (; x < t.w; x += kLanes) {
      const Rounded first = soft(load(t.y + x));
      const Rounded second = soft(first.value + normal(state) * t.noise);
      const VI inside = lane_index() + float(x) < splat(float(t.w));
      store(t.q + x, as_float(as_int(second.value) & inside));
      store(t.dq + x, first.slope * second.slope);
    }
  }
  for (; x < t.padded; x += kLanes) store(t.q + x, V{});
}

void adam(AdamRow& t) {
  for (int x = 0; x < t.w; x += kLanes) {
    const V g = load(t.gq + x) * load(t.dq + x);
    const V m = load(t.m + x) * t.beta1 + g * (1 - t.beta1);
    const V v = load(t.v + x) * t.beta2 + g * g * (1 - t.beta2);
    store(t.m + x, m);
    store(t.v + x, v);
    store(t.y + x, load(t.y + x) - t.lr * (m * t.correction1) / (vsqrt(v * t.correction2) + t.eps));
  }
}

}  // namespace

namespace wyner::WYNER_ISA {

const FitKernels& fit_kernels() {
  static const FitKernels table = {
      kLanes,          fit_arm,         fit_arm_scratch,    fit_synth,         fit_synth_scratch,
      quantise,        adam,            up_forward,         up_backward,       pre_forward,       pre_backward,
      filter_scratch,  features_forward, features_backward, magnitude_forward, magnitude_backward,
      feature_scratch};
  return table;
}

}  // namespace wyner::WYNER_ISA
