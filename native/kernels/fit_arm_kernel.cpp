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

// Layers that share their inputs or outputs are one matrix: [wo wl] forward, [w1; wl] transposed backward.
template <int A, int N>
struct Arm {
  const float *w1, *b1, *w2, *b2, *bo;
  float out_w[2 * (N + A)], out_wt[N * 2], w2t[N * N], in_wt[A * (N + 2)];
  V gw1[N * A] = {}, gb1[N] = {}, gw2[N * N] = {}, gb2[N] = {}, gout[2 * (N + A)] = {}, gbo[2] = {};
  V bits{};

  explicit Arm(const float* p) {
    w1 = p;
    b1 = w1 + N * A;
    w2 = b1 + N;
    b2 = w2 + N * N;
    const float *wo = b2 + N, *wl = wo + 2 * N;
    bo = wl + 2 * A;
    for (int o = 0; o < 2; ++o) {
      std::memcpy(out_w + o * (N + A), wo + o * N, sizeof(float) * N);
      std::memcpy(out_w + o * (N + A) + N, wl + o * A, sizeof(float) * A);
    }
    transpose(wo, 2, N, out_wt, 2);
    transpose(w2, N, N, w2t, N);
    transpose(w1, N, A, in_wt, N + 2);
    transpose(wl, 2, A, in_wt + N, N + 2);
  }

  // One block of pixels from column x0: reads ctx[c] and q, writes dctx[c] and dq.
  void block(const float* const* ctx, const float* q, int x0, int w, float scale, float* const* dctx,
             float* dq) {
    Block h1[N], h2x[N + A], dh2[N], back[N + 2], dx[A];
    Block *h2 = h2x, *x = h2x + N, *dh1 = back, *out = back + N;
    for (int c = 0; c < A; ++c)
      for (int p = 0; p < kVecs; ++p) x[c][p] = load(ctx[c] + x0 + p * kLanes);
    dense_relu<A, N>(w1, b1, x, h1);
    dense_relu<N, N>(w2, b2, h1, h2);
    dense<N + A, 2>(out_w, bo, h2x, out);
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
    outer<N + A, 2>(out, h2x, gout);
    dense_backward<2, N>(out_wt, out, h2, dh2, gb2);
    outer<N, N>(dh2, h1, gw2);
    dense_backward<N, N>(w2t, dh2, h1, dh1, gb1);
    outer<A, N>(dh1, x, gw1);
    dense<N + 2, A>(in_wt, nullptr, back, dx);
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
    put(gout, N);
    put(gout + N + A, N);
    put(gout + N, A);
    put(gout + 2 * N + A, A);
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
  float* gfeature(int y, int f) const { return feature((1 + (y & 1)) * F + f); }
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

// The gradients of a row are written in whole blocks; gathering them reaches a few columns farther.
void clear_edges(const ArmTask& t) {
  const int row = row_floats(t.stride), written = (t.w + kBlock - 1) / kBlock * kBlock;
  float* end = t.scratch + WYNER_ISA::fit_arm_scratch(t.S, t.F, t.N, t.stride);
  for (float* p = t.scratch; p < end; p += row) {
    std::memset(p, 0, sizeof(float) * kPad);
    std::memset(p + kPad + written, 0, sizeof(float) * (row - kPad - written));
  }
}

void expand_features(const ArmTask& t, const Rows& rows, int y) {
  for (int f = 0; f < t.F; ++f) {
    const float* src = t.features + f * t.feature_plane + (y >> 1) * t.feature_stride;
    for (int x = 0; 2 * x < t.w; x += kLanes) store_interleaved(rows.feature(f) + 2 * x, load(src + x), load(src + x));
  }
}

// Gradient of a row of features: sums over 2x2 latents, of rows y - 1 and y or, without a partner, of row y.
void reduce_features(const ArmTask& t, const Rows& rows, int y) {
  for (int f = 0; f < t.F; ++f) {
    const float *g0 = rows.gfeature(0, f), *g1 = rows.gfeature(y, f);
    float* dst = t.gfeatures + f * t.feature_plane + (y >> 1) * t.feature_stride;
    for (int x = 0; 2 * x < t.w; x += kLanes) {
      V a = load(g0 + 2 * x), b = load(g0 + 2 * x + kLanes);
      if (y & 1) a += load(g1 + 2 * x), b += load(g1 + 2 * x + kLanes);
      store(dst + x, even_lanes(a, b) + odd_lanes(a, b));
    }
  }
}

template <int A, int N>
void run(ArmTask& t) {
  Arm<A, N> arm(t.params);
  const Rows rows{t.scratch, t.S, t.F, row_floats(t.stride)};
  clear_edges(t);
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
        dctx[t.S + f] = rows.gfeature(y, f);
      }
      for (int x = 0; x < t.w; x += kBlock)
        arm.block(ctx, t.q + y * t.stride, x, t.w, t.gradient_scale, dctx, rows.direct(y));
      if ((y & 1) || y == t.row1 - 1) reduce_features(t, rows, y);
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
