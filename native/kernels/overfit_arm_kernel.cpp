// The integer ARM for the 16 latents of one wavefront step (docs/spec/overfit.md, section 7).
#include "kernels/overfit_kernels.h"
#include "kernels/simd16.h"

namespace wyner::WYNER_ISA {

namespace {

constexpr int kParts = kArmLanes / kLanes32;  // registers that hold one value for each lane

struct Lanes {
  I32 part[kParts];
};

// Offset of the neighbour (dy, dx) from entry 0 of the current line.
constexpr int at(int dy, int dx) { return (dx + 3 * dy) * kArmLine + kArmAbove + dy; }

constexpr int kNeighbours[] = {
    at(0, -1), at(-1, 0), at(-1, -1), at(-1, 1), at(0, -2), at(-2, 0), at(-1, -2), at(-1, 2), at(-2, -1),
    at(-2, 1), at(0, -3), at(-3, 0), at(-2, -2), at(-2, 2), at(-1, -3), at(-3, -1), at(-3, 1), at(-2, -3),
    at(-2, 3), at(-3, -2)};

inline Lanes neighbours(const int16_t* line, int pair) {
  Lanes x;
  for (int i = 0; i < kParts; ++i)
    x.part[i] = load_pairs(line + kNeighbours[2 * pair] + i * kLanes32,
                           line + kNeighbours[2 * pair + 1] + i * kLanes32);
  return x;
}

template <int Pairs>
inline void accumulate(Lanes& acc, const Lanes* x, const int32_t* weights) {
  for (int p = 0; p < Pairs; ++p) {
    const I32 w = splat32(weights[p]);
    for (int i = 0; i < kParts; ++i) acc.part[i] = add32(acc.part[i], madd(x[p].part[i], w));
  }
}

inline Lanes splat(int32_t value) {
  Lanes x;
  for (int i = 0; i < kParts; ++i) x.part[i] = splat32(value);
  return x;
}

// relu and sat16 of two accumulators, as pairs.
inline Lanes activate(const Lanes& even, const Lanes& odd, int shift) {
  const I32 zero = splat32(0), top = splat32(32767);
  Lanes x;
  for (int i = 0; i < kParts; ++i) {
    const I32 a = min32(max32(shift_right(even.part[i], shift), zero), top);
    const I32 b = min32(max32(shift_right(odd.part[i], shift), zero), top);
    x.part[i] = or32(a, shift_left_16(b));
  }
  return x;
}

template <int In, int Out>
inline void layer(const Lanes* x, const int32_t* weights, const int32_t* bias, int shift, Lanes* y) {
  for (int o = 0; o < Out; o += 2) {
    Lanes even = splat(bias[o]), odd = splat(bias[o + 1]);
    accumulate<In / 2>(even, x, weights + o * (In / 2));
    accumulate<In / 2>(odd, x, weights + (o + 1) * (In / 2));
    y[o / 2] = activate(even, odd, shift);
  }
}

// clamp(base + (acc >> shift), low, high)
inline void store_clamped(const Lanes& acc, int shift, int base, int low, int high, int32_t* out) {
  for (int i = 0; i < kParts; ++i) {
    const I32 v = add32(shift_right(acc.part[i], shift), splat32(base));
    store32(out + i * kLanes32, min32(max32(v, splat32(low)), splat32(high)));
  }
}

template <int S, int F, int N>
void arm(const ArmPlan& plan, const int16_t* line, const int32_t* features, int32_t* mu, int32_t* scale) {
  constexpr int A = S + F;
  Lanes x[A / 2], h1[N / 2], h2[N / 2];
  for (int p = 0; p < S / 2; ++p) x[p] = neighbours(line, p);
  for (int p = 0; p < F / 2; ++p)
    for (int i = 0; i < kParts; ++i)
      x[S / 2 + p].part[i] = load32(features + p * kArmLanes + i * kLanes32);
  layer<A, N>(x, plan.w1, plan.b1, plan.shift1, h1);
  layer<N, N>(h1, plan.w2, plan.b2, plan.shift2, h2);
  Lanes out[2];
  for (int o = 0; o < 2; ++o) {
    out[o] = splat(plan.bo[o]);
    accumulate<N / 2>(out[o], h2, plan.wo + o * (N / 2));
    accumulate<A / 2>(out[o], x, plan.wl + o * (A / 2));
  }
  store_clamped(out[0], plan.shift_mu, 0, -262144, 262144, mu);
  store_clamped(out[1], plan.shift_scale, 80, 0, 208, scale);
}

ArmFunction* find(int S, int F, int N) {
  if (S == 6 && F == 2 && N == 8) return arm<6, 2, 8>;
  if (S == 12 && F == 4 && N == 16) return arm<12, 4, 16>;
  if (S == 18 && F == 6 && N == 24) return arm<18, 6, 24>;
  // With the four contexts of a side picture.
  if (S == 6 && F == 6 && N == 8) return arm<6, 6, 8>;
  if (S == 12 && F == 8 && N == 16) return arm<12, 8, 16>;
  if (S == 18 && F == 10 && N == 24) return arm<18, 10, 24>;
  return nullptr;
}

}  // namespace

const ArmKernels& arm_kernels() {
  static const ArmKernels table = {find};
  return table;
}

}  // namespace wyner::WYNER_ISA
