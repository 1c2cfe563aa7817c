// Features of the ARM taken from coarser grids (docs/spec/overfit.md, section 7), forward and backward.
#include "kernels/fit_kernels.h"
#include "kernels/simd.h"

namespace wyner::WYNER_ISA {
void features_forward(FeatureTask& t);
void features_backward(FeatureTask& t);
void magnitude_forward(MagnitudeTask& t);
void magnitude_backward(MagnitudeTask& t);
int feature_scratch(int width);
}  // namespace wyner::WYNER_ISA

namespace {
using namespace wyner;

inline int round_up(int v, int to) { return (v + to - 1) / to * to; }
inline int row_floats(int width) { return round_up(width, 16) + 64; }
inline int clampi(int v, int lo, int hi) { return v < lo ? lo : (v > hi ? hi : v); }

// Elements 0..n-1 of src, each twice.
void double_row(const float* src, int n, float* dst) {
  for (int x = 0; x < n; x += kLanes) store_interleaved(dst + 2 * x, load(src + x), load(src + x));
}

// The six input rows at row y of the maps; source rows that are halved once or twice more are repeated.
void input_rows(const FeatureTask& t, int y, const float** in) {
  const int row = row_floats(t.w);
  float* half = t.scratch;
  for (int m = 0; m < t.sources; ++m)
    for (int k = 0; k < 2; ++k) {
      const float* src = (k ? t.magnitude : t.q)[m] + long(y >> m) * t.source_stride[m];
      float* dst = t.scratch + (2 * m + k) * row;
      if (m == 2) double_row(src, (t.w + 3) / 4, half);
      if (m > 0) double_row(m == 2 ? half : src, (t.w + 1) / 2, dst);
      in[2 * m + k] = m > 0 ? dst : src;
    }
}

// dst[x >> m] += g[x]; g is overwritten, and zero for four vectors from w on.
void add_reduced(float* dst, float* g, int w, int m) {
  for (; m > 0; --m, w = (w + 1) / 2)
    for (int x = 0; 2 * x < round_up(w, 4 * kLanes); x += kLanes) {  // whole pairs of vectors for the next round
      const V a = load(g + 2 * x), b = load(g + 2 * x + kLanes);
      store(g + x, even_lanes(a, b) + odd_lanes(a, b));
    }
  for (int x = 0; x < w; x += kLanes) store(dst + x, load(dst + x) + load(g + x));
}

void smooth_row(const float* x, int w, float* out) {
  for (int i = 0; i < w; i += kLanes)
    store(out + i, load(x + i) * 0.5f + (load(x + i - 1) + load(x + i + 1)) * 0.25f);
}

// Gradients of the weights of map f, whose gradient has row g.
template <int kInputs>
void weight_gradient(const float* const* in, const float* g, int w, V* gw, V* gb) {
  V sums[kInputs + 1] = {}, bias{};
  for (int x = 0; x < w; x += kLanes) {
    const V gv = where(lane_index() + float(x) < splat(float(w)), load(g + x));
    bias += gv;
    for (int i = 0; i < kInputs; ++i) sums[i] += gv * load(in[i] + x);
  }
  for (int i = 0; i < kInputs; ++i) gw[i] += sums[i];
  *gb += bias;
}

template <int kSources>
void backward(FeatureTask& t) {
  constexpr int kInputs = 2 * kSources;
  V gw[6 * 8] = {}, gb[8] = {};
  float* gin = t.scratch + 6 * row_floats(t.w);
  for (int y = t.row0; y < t.row1; ++y) {
    const float *in[6], *g[8];
    input_rows(t, y, in);
    for (int f = 0; f < t.F; ++f) {
      g[f] = t.gfeatures + long(f) * t.plane + long(y) * t.stride;
      weight_gradient<kInputs>(in, g[f], t.w, gw + 6 * f, gb + f);
    }
    for (int i = 0; i < kInputs; ++i) {
      for (int x = 0; x < t.w; x += kLanes) {
        V s{};
        for (int f = 0; f < t.F; ++f) s += load(g[f] + x) * t.weights[f * 6 + i];
        store(gin + x, where(lane_index() + float(x) < splat(float(t.w)), s));
      }
      for (int x = 0; x < 4 * kLanes; x += kLanes) store(gin + round_up(t.w, kLanes) + x, V{});
      const int m = i / 2;
      add_reduced((i & 1 ? t.gmagnitude : t.gq)[m] + long(y >> m) * t.source_stride[m], gin, t.w, m);
    }
  }
  for (int i = 0; i < 6 * t.F; ++i) t.gweights[i] = sum(gw[i]);
  for (int f = 0; f < t.F; ++f) t.gbias[f] = sum(gb[f]);
}

}  // namespace

namespace wyner::WYNER_ISA {

int feature_scratch(int width) { return 8 * row_floats(width); }

void features_forward(FeatureTask& t) {
  const int inputs = 2 * t.sources;
  for (int y = t.row0; y < t.row1; ++y) {
    const float* in[6];
    input_rows(t, y, in);
    for (int f = 0; f < t.F; ++f) {
      float* out = t.features + long(f) * t.plane + long(y) * t.stride;
      for (int x = 0; x < t.w; x += kLanes) {
        V s = splat(t.bias[f]);
        for (int i = 0; i < inputs; ++i) s += load(in[i] + x) * t.weights[f * 6 + i];
        store(out + x, s);
      }
    }
  }
}

void features_backward(FeatureTask& t) {
  switch (t.sources) {
    case 0: return backward<0>(t);
    case 1: return backward<1>(t);
    case 2: return backward<2>(t);
    default: return backward<3>(t);
  }
}

void magnitude_forward(MagnitudeTask& t) {
  float* row = t.scratch + 16;
  for (int y = t.row0; y < t.row1; ++y) {
    const float* a = t.q + long(clampi(y - 1, 0, t.h - 1)) * t.stride;
    const float* b = t.q + long(y) * t.stride;
    const float* c = t.q + long(clampi(y + 1, 0, t.h - 1)) * t.stride;
    for (int x = 0; x < t.w; x += kLanes)
      store(row + x, vabs(load(b + x)) * 0.5f + (vabs(load(a + x)) + vabs(load(c + x))) * 0.25f);
    row[-1] = row[0];
    row[t.w] = row[t.w - 1];
    smooth_row(row, t.w, t.magnitude + long(y) * t.stride);
  }
}

void magnitude_backward(MagnitudeTask& t) {
  const int row = row_floats(t.w);
  float* in = t.scratch + 16;
  float* out = in + row;
  float* total = out + row;
  std::memset(t.scratch, 0, sizeof(float) * 3 * row);
  for (int y = t.row0; y < t.row1; ++y) {
    std::memset(total, 0, sizeof(float) * t.w);
    auto add = [&](int yy, float weight) {
      if (yy < 0 || yy >= t.h) return;
      std::memcpy(in, t.gmagnitude + long(yy) * t.stride, sizeof(float) * t.w);
      smooth_row(in - 1, t.w + 2, out - 1);  // symmetric: its own transpose, but for the edges
      out[0] += out[-1];
      out[t.w - 1] += out[t.w];
      for (int x = 0; x < t.w; ++x) total[x] += weight * out[x];
    };
    add(y - 1, 0.25f);
    add(y, 0.5f);
    add(y + 1, 0.25f);
    if (y == 0) add(0, 0.25f);
    if (y == t.h - 1) add(t.h - 1, 0.25f);
    const float* q = t.q + long(y) * t.stride;
    float* gq = t.gq + long(y) * t.stride;
    for (int x = 0; x < t.w; ++x) gq[x] += q[x] > 0 ? total[x] : (q[x] < 0 ? -total[x] : 0.0f);
  }
}

}  // namespace wyner::WYNER_ISA
