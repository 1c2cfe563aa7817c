// Rate of the latents under the ARM, and its gradients (docs/spec/overfit.md, section 7, in floats).
//
//   q neighbours, features --> x --> h1 = relu(w1 x + b1) --> h2 = relu(w2 h1 + b2) --> (mu, s)
//                              '------------------- wl --------------------------------^
//   bits = -log2(P + 2^-16),  P = Laplace(mu, 2^s) mass of [q - 1/2, q + 1/2]
#include "kernels/fit_dense.h"

namespace wyner::WYNER_ISA {
void fit_arm(ArmTask& t);
int fit_arm_scratch(int S, int F, int N, int stride);
}  // namespace wyner::WYNER_ISA

namespace {
using namespace wyner;

// Gradients of bits with respect to mu, s and q, times `scale`; returns the bits themselves.
struct Rate {
  V bits, dmu, ds, dq;
};

inline Rate laplace(V q, V mu, V s_raw, float scale) {
  const V s = vmin(vmax(s_raw, splat(-5.0f)), splat(8.0f));
  const V beta = exp2v(-s);
  const V d = q - mu;
  const V a = vabs(d);
  const V near = 0.5f - a;
  const V far = a + 0.5f;
  constexpr float kLog2e = 1.44269504f;
  const V k = beta * -kLog2e;
  const V u = exp2v(k * vabs(near));
  const V w = exp2v(k * far);
  const V p = select(near > V{}, 1.0f - 0.5f * (u + w), 0.5f * (u - w)) + 0x1p-16f;
  Rate r;
  r.bits = -log2v(p);
  const V inv = scale / p;
  const V sign = as_float((as_int(d) & int32_t(0x80000000)) | as_int(splat(1.0f)));
  r.dq = inv * (0.5f * kLog2e) * (u - w) * beta * sign;
  r.dmu = -r.dq;
  const V ds = inv * 0.5f * beta * (near * u + far * w);
  r.ds = as_float(as_int(ds) & (s_raw > splat(-5.0f)) & (s_raw < splat(8.0f)));
  return r;
}

template <int A, int N>
struct Arm {
  static constexpr int kParams = N * A + N + N * N + N + 2 * N + 2 * A + 2;
  const float *w1, *b1, *w2, *b2, *wo, *wl, *bo;
  float w1t[A * N], w2t[N * N], wot[2 * N], wlt[2 * A];
  V gw1[N * A], gb1[N], gw2[N * N], gb2[N], gwo[2 * N], gwl[2 * A], gbo[2];
  V bits;

  explicit Arm(const float* p) {
    w1 = p;
    b1 = w1 + N * A;
    w2 = b1 + N;
    b2 = w2 + N * N;
    wo = b2 + N;
    wl = wo + 2 * N;
    bo = wl + 2 * A;
    transpose(w1, N, A, w1t);
    transpose(w2, N, N, w2t);
    transpose(wo, 2, N, wot);
    transpose(wl, 2, A, wlt);
    std::memset(gw1, 0, sizeof gw1);
    std::memset(gb1, 0, sizeof gb1);
    std::memset(gw2, 0, sizeof gw2);
    std::memset(gb2, 0, sizeof gb2);
    std::memset(gwo, 0, sizeof gwo);
    std::memset(gwl, 0, sizeof gwl);
    std::memset(gbo, 0, sizeof gbo);
    bits = V{};
  }

  // One block of pixels from column x0: reads ctx[c] and q, writes dctx[c] and dq.
  void block(const float* const* ctx, const float* q, int x0, int w, float scale, float* const* dctx,
             float* dq) {
    Block x[A], h1[N], h2[N], out[2], dh2[N], dh1[N], dx[A];
    for (int c = 0; c < A; ++c)
      for (int p = 0; p < kVecs; ++p) x[c][p] = load(ctx[c] + x0 + p * kLanes);
    dense<A, N, true, false>(w1, b1, x, h1);
    dense<N, N, true, false>(w2, b2, h1, h2);
    dense<N, 2, false, false>(wo, bo, h2, out);
    dense<A, 2, false, true>(wl, nullptr, x, out);
    for (int p = 0; p < kVecs; ++p) {
      const int column = x0 + p * kLanes;
      Rate r = laplace(load(q + column), out[0][p], out[1][p], scale);
      const VI inside = lane_index() + float(column) < splat(float(w));
      bits += as_float(as_int(r.bits) & inside);
      out[0][p] = as_float(as_int(r.dmu) & inside);
      out[1][p] = as_float(as_int(r.ds) & inside);
      store(dq + column, as_float(as_int(r.dq) & inside));
    }
    bias_sum<2>(out, gbo);
    outer<N, 2>(out, h2, gwo);
    outer<A, 2>(out, x, gwl);
    dense<2, N, false, false>(wot, nullptr, out, dh2);
    relu_mask<N>(h2, dh2);
    bias_sum<N>(dh2, gb2);
    outer<N, N>(dh2, h1, gw2);
    dense<N, N, false, false>(w2t, nullptr, dh2, dh1);
    relu_mask<N>(h1, dh1);
    bias_sum<N>(dh1, gb1);
    outer<A, N>(dh1, x, gw1);
    dense<N, A, false, false>(w1t, nullptr, dh1, dx);
    dense<2, A, false, true>(wlt, nullptr, out, dx);
    for (int c = 0; c < A; ++c)
      for (int p = 0; p < kVecs; ++p) store(dctx[c] + x0 + p * kLanes, dx[c][p]);
  }

  void reduce(float* g) const {
    auto put = [&g](const V* v, int n) {
      for (int i = 0; i < n; ++i) *g++ = sum(v[i]);
    };
    put(gw1, N * A);
    put(gb1, N);
    put(gw2, N * N);
    put(gb2, N);
    put(gwo, 2 * N);
    put(gwl, 2 * A);
    put(gbo, 2);
  }
};

inline int row_floats(int stride) { return stride + 2 * kPad; }

// Buffers of one strip inside its scratch memory.
struct Rows {
  float* base;
  int S, F, row;
  float* context(int y, int c) const { return base + ((y & 3) * (S + 1) + c) * row + kPad; }
  float* direct(int y) const { return context(y, S); }
  float* feature(int f) const { return base + (4 * (S + 1) + f) * row + kPad; }
  float* gfeature(int f) const { return feature(F + f); }
  float* gfeature_sum(int f) const { return feature(2 * F + f); }
};

// Gradient of row r: what rows r..r+3 ask of it, in gather form (scattered stores would stall).
void gather_row(const ArmTask& t, const Rows& rows, int r) {
  float* out = r < t.row0 ? t.halo + (r - t.row0 + kPadRows) * t.stride : t.gq + r * t.stride;
  const float* src[kMaxContexts];
  int n = 0;
  for (int c = 0; c < t.S; ++c) {
    const int y = r - kOffsets[c][0];
    if (y >= t.row0 && y < t.row1) src[n++] = rows.context(y, c) - kOffsets[c][1];
  }
  const bool own = r >= t.row0;
  for (int x = 0; x < t.w; x += kLanes) {
    V s = own ? load(rows.direct(r) + x) : V{};
    for (int i = 0; i < n; ++i) s += load(src[i] + x);
    const VI inside = lane_index() + float(x) < splat(float(t.w));
    store(out + x, as_float(as_int(s) & inside));
  }
}

void expand_features(const ArmTask& t, const Rows& rows, int y) {
  for (int f = 0; f < t.F; ++f) {
    const float* src = t.features + f * t.feature_plane + (y >> 1) * t.feature_stride;
    float* dst = rows.feature(f);
    for (int x = 0; x < (t.w + 1) / 2; ++x) dst[2 * x] = dst[2 * x + 1] = src[x];
  }
}

void reduce_features(const ArmTask& t, const Rows& rows, int y) {
  const bool last = (y & 1) || y == t.row1 - 1;
  for (int f = 0; f < t.F; ++f) {
    const float* g = rows.gfeature(f);
    float* s = rows.gfeature_sum(f);
    if (y & 1)
      for (int x = 0; x < t.w + 1; ++x) s[x] += g[x];
    else
      std::memcpy(s, g, (t.w + 1) * sizeof(float));
    if (!last) continue;
    float* dst = t.gfeatures + f * t.feature_plane + (y >> 1) * t.feature_stride;
    for (int x = 0; x < (t.w + 1) / 2; ++x) dst[x] = s[2 * x] + s[2 * x + 1];
  }
}

template <int A, int N>
void run(ArmTask& t) {
  Arm<A, N> arm(t.params);
  const Rows rows{t.scratch, t.S, t.F, row_floats(t.stride)};
  std::memset(t.scratch, 0, sizeof(float) * WYNER_ISA::fit_arm_scratch(t.S, t.F, t.N, t.stride));
  for (int y = t.row0; y < t.row1 + kPadRows; ++y) {
    if (y < t.row1) {
      const float* ctx[A];
      float* dctx[A];
      if (!(y & 1)) expand_features(t, rows, y);
      for (int c = 0; c < t.S; ++c) {
        ctx[c] = t.q + (y + kOffsets[c][0]) * t.stride + kOffsets[c][1];
        dctx[c] = rows.context(y, c);
      }
      for (int f = 0; f < t.F; ++f) {
        ctx[t.S + f] = rows.feature(f);
        dctx[t.S + f] = rows.gfeature(f);
      }
      for (int x = 0; x < t.w; x += kBlock)
        arm.block(ctx, t.q + y * t.stride, x, t.w, t.gradient_scale, dctx, rows.direct(y));
      reduce_features(t, rows, y);
    }
    const int r = y - kPadRows;
    if (r >= 0) gather_row(t, rows, r);
  }
  arm.reduce(t.gparams);
  t.bits = double(sum(arm.bits));
}

}  // namespace

namespace wyner::WYNER_ISA {

int fit_arm_scratch(int S, int F, int, int stride) { return (4 * (S + 1) + 3 * F) * row_floats(stride); }

void fit_arm(ArmTask& t) {
  switch (t.S + t.F) {
    case 8: return run<8, 8>(t);
    case 16: return run<16, 16>(t);
    default: return run<24, 24>(t);
  }
}

}  // namespace wyner::WYNER_ISA
