// Rate of the latents under the ARM, and its gradients (docs/spec/overfit.md, section 7, in floats).
//
//   q neighbours, features --> x --> h1 = relu(w1 x + b1) --> h2 = relu(w2 h1 + b2) --> (mu, s)
//                              '------------------- wl --------------------------------^
//   bits = -log2(P + 2^-16),  P = Laplace(mu, 2^s) mass of [q - 1/2, q + 1/2]
//
// The four latents of a 2x2 quad have the same features. So a block is a phase of the quads, one latent of each, and
// what the features add to the first and the last layer is computed once for the blocks of four phases.
//
// Here is all of it but the two hidden layers of four blocks, whose precision is that of the kernel.
#pragma once

#include "kernels/fit_dense.h"
#include "kernels/fit_quads.h"

namespace {

using wyner::ArmTask;
using wyner::kBlock;
using wyner::kPadRows;

// Probability of a latent, and gradients of its bits with respect to mu and s, times `scale`; that of q is -dmu.
struct Rate {
  V p, dmu, ds;
};

inline Rate laplace(V error, V s_raw, float scale) {
  const V s = vmin(vmax(s_raw, splat(-5.0f)), splat(8.0f));
  const V beta = exp2v(-s);
  const V a = vabs(error);
  const V near = 0.5f - a;
  const V far = a + 0.5f;
  constexpr float kLog2e = 1.44269504f;
  const V k = beta * -kLog2e;
  const V u = exp2_clamped(k * vabs(near));
  const V w = exp2_clamped(k * far);
  Rate r;
  r.p = select(near > V{}, 1.0f - 0.5f * (u + w), 0.5f * (u - w)) + 0x1p-16f;
  const V inv = scale / r.p;
  const V sign = as_float((as_int(error) & int32_t(0x80000000)) | as_int(splat(1.0f)));
  r.dmu = inv * (0.5f * kLog2e) * (u - w) * beta * sign;
  const V ds = inv * 0.5f * beta * (near * u + far * w);
  r.ds = as_float(as_int(ds) & (s_raw > splat(-5.0f)) & (s_raw < splat(8.0f)));
  return r;
}

// Weights in the shapes that the passes want, input by input, and the sums of their gradients. Backward, layers that
// share their inputs are one matrix, [w1; wl]. What the four latents of a quad do not share are S neighbours and E
// contexts from a side picture.
template <int S, int F, int N, int E>
struct Weights {
  static constexpr int A = S + F + E, I = S + E;
  const float *b1, *w2_back, *b2, *wo_back, *bo;
  float w1[I * N], w1_features[F * N], w2[N * N], wo[N * 2], wl[I * 2], wl_features[F * 2];
  float neighbours_back[(N + 2) * S], features_back[(N + 2) * F];
  V gw1[N * I] = {}, gfeatures[(N + 2) * F] = {}, gb1[N + 2] = {}, gw2[N * N] = {}, gb2[N] = {};
  V gwo[2 * N] = {}, gwl[2 * I] = {};

  explicit Weights(const float* p) {
    const float* first = p;
    b1 = first + N * A;
    w2_back = b1 + N;
    b2 = w2_back + N * N;
    wo_back = b2 + N;
    const float* direct = wo_back + 2 * N;
    bo = direct + 2 * A;
    transpose(first, A, N, S, w1, N);
    transpose(first + S, A, N, F, w1_features, N);
    transpose(first + S + F, A, N, E, w1 + S * N, N);
    transpose(w2_back, N, N, N, w2, N);
    transpose(wo_back, N, 2, N, wo, 2);
    transpose(direct, A, 2, S, wl, 2);
    transpose(direct + S, A, 2, F, wl_features, 2);
    transpose(direct + S + F, A, 2, E, wl + S * 2, 2);
    columns(first, A, N, S, neighbours_back, S);
    columns(direct, A, 2, S, neighbours_back + N * S, S);
    columns(first + S, A, N, F, features_back, F);
    columns(direct + S, A, 2, F, features_back + N * F, F);
  }

  // Gradients of all parameters, in their order.
  void reduce(float* g) const {
    float w1_sums[N * I], wl_sums[2 * I], feature_sums[(N + 2) * F];
    put_sums(gw1, N * I, w1_sums);
    put_sums(gwl, 2 * I, wl_sums);
    put_sums(gfeatures, (N + 2) * F, feature_sums);
    columns(w1_sums, I, N, S, g, A);
    columns(feature_sums, F, N, F, g + S, A);
    columns(w1_sums + S, I, N, E, g + S + F, A);
    g += N * A;
    put_sums(gb1, N, g);
    put_sums(gw2, N * N, g + N);
    put_sums(gb2, N, g + N + N * N);
    g += 2 * N + N * N;
    put_sums(gwo, 2 * N, g);
    columns(wl_sums, I, 2, S, g + 2 * N, A);
    columns(feature_sums + N * F, F, 2, F, g + 2 * N + S, A);
    columns(wl_sums + S, I, 2, E, g + 2 * N + S + F, A);
    put_sums(gb1 + N, 2, g + 2 * N + 2 * A);
  }
};

// What features add to (mu, s), less the latents for mu: sums that start there round less than mu would.
struct LessLatent {
  const Block* features;
  const float* const* latents;
  V operator()(int o, int b, int p) const {
    return o ? features[o][p] : features[o][p] - load(latents[b] + p * kLanes);
  }
};

// What the hidden layers see of the block of each phase: neighbours and known contexts, the latents themselves, and what
// features add to the first and to the last layer.
template <int N, int I>
struct ArmInputs {
  const float *x[kPhases][I], *own[kPhases];
  Block feature_part[N + 2];
  PointerView<I> view() const { return {x}; }
  LessLatent less_latent() const { return {feature_part + N, own}; }
};

// Layers, of the weights and inputs above: forward() leaves (mu - q, s) in out(phase), where rate() puts their gradients;
// backward() goes on from there; sum_phases() adds up, over phases, gradients of N hidden units and of (mu, s).
template <template <int, int, int, int> class Layers, int S, int F, int N, int E>
struct Arm {
  static constexpr int I = S + E;
  Weights<S, F, N, E> weights;
  Layers<S, F, N, E> layers;
  ArmInputs<N, I> inputs;
  QuadRows rows;
  KnownRows<E> known;
  static constexpr QuadSources<S> sources{};
  V bits{};
  RowView features;
  QuadGradients<S> dx;

  explicit Arm(const ArmTask& t)
      : weights(t.params), layers(weights), rows(t.scratch, t.w), known(t.scratch + QuadRows::floats(t.w), t.w) {}

  // Names what the quads of rows y and y + 1 from column 2 x0 on read.
  void locate(const ArmTask& t, int y, int x0) {
    features = {t.features + (y >> 1) * t.feature_stride + x0, t.feature_plane};
    for (int phase = 0; phase < kPhases; ++phase) {
      for (int c = 0; c < S; ++c) inputs.x[phase][c] = rows.neighbour(y, phase, c) + x0;
      for (int c = 0; c < E; ++c) inputs.x[phase][S + c] = known.context(phase, c) + x0;
      inputs.own[phase] = rows.latents(y, phase) + x0;
    }
  }

  void forward() {
    dense<F, N>(weights.w1_features, features, 1, bias(weights.b1), into(view(&inputs.feature_part)));
    dense<F, 2>(weights.wl_features, features, 1, bias(weights.bo), into(view(&inputs.feature_part, N)));
    layers.forward(weights, inputs);
  }

  // (mu - q, s) become their gradients; columns from w on and rows from row1 on have none.
  void rate(const ArmTask& t, int y, int x0) {
    for (int p = 0; p < kVecs; ++p) {
      const int at = x0 + p * kLanes;
      V probability = splat(1.0f);  // of four latents, at least 2^-64: one logarithm is enough
      for (int phase = 0; phase < kPhases; ++phase) {
        Block* out = layers.out(phase);
        const Rate r = laplace(out[0][p], out[1][p], t.gradient_scale);
        const VI inside = below(at, y + (phase >> 1) < t.row1 ? count_of(t.w, phase & 1) : 0);
        probability *= select(inside, r.p, splat(1.0f));
        out[0][p] = where(inside, r.dmu);
        out[1][p] = where(inside, r.ds);
        store(dx.own(phase) + p * kLanes, -out[0][p]);
      }
      bits -= log2v(probability);
    }
  }

  void backward_features(const ArmTask& t, int y, int x0, bool counts) {
    Block total[N + 2];
    layers.sum_phases(total);
    const BlockView<N + 2> sums = view(&total);
    if (counts) {
      bias_sum<N + 2>(sums, 1, weights.gb1);
      outer<F, N>(sums, features, 1, weights.gfeatures);
      outer<F, 2>(view(&total, N), features, 1, weights.gfeatures + N * F);
    }
    float* dst = t.gfeatures + (y >> 1) * t.feature_stride + x0;
    dense<N + 2, F>(weights.features_back, sums, 1, no_bias(), [&t, dst](int f, int, int p, V v) {
      store(dst + f * t.feature_plane + p * kLanes, v);
    });
  }

  void run(ArmTask& t) {
    for (int y = t.row0 - kPadRows; y < t.row0; ++y) rows.read(t, y);
    for (int y = t.row0; y < t.row1; y += 2) {
      rows.read(t, y);
      rows.read(t, y + 1);
      known.read(t, y);
      for (int x0 = 0; 2 * x0 < t.w; x0 += kBlock) {
        locate(t, y, x0);
        forward();
        rate(t, y, x0);
        const bool counts = t.thinning.counts(y / 2 + x0 / kBlock);  // along diagonals
        layers.backward(weights, inputs, counts, dx);
        backward_features(t, y, x0, counts);
        rows.add(y, x0, sources, dx);
      }
      for (int r = y - kPadRows; r < y - 1; ++r) rows.write(t, r);
    }
    const int written = ((t.row1 - t.row0 + 1) & ~1) - kPadRows + t.row0;
    for (int r = written; r < t.row1; ++r) rows.write(t, r);
    weights.reduce(t.gparams);
    t.bits = double(sum(bits));
  }
};

template <template <int, int, int, int> class Layers, int S, int F, int N>
void run_arm(ArmTask& t) {
  if (t.E) Arm<Layers, S, F, N, wyner::kSideContexts>(t).run(t);
  else Arm<Layers, S, F, N, 0>(t).run(t);
}

template <template <int, int, int, int> class Layers>
void run_arm(ArmTask& t) {
  switch (t.S) {
    case 6: return run_arm<Layers, 6, 2, 8>(t);
    case 12: return run_arm<Layers, 12, 4, 16>(t);
    default: return run_arm<Layers, 18, 6, 24>(t);
  }
}

}  // namespace
