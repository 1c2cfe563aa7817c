// Features of the ARM taken from coarser grids (docs/spec/overfit.md, section 7), forward and backward.
#include "kernels/fit_dense.h"
#include "kernels/fit_split.h"

namespace wyner::WYNER_ISA {
void features_forward(FeatureTask& t);
void features_backward(FeatureTask& t);
void magnitude_forward(MagnitudeTask& t);
void magnitude_backward(MagnitudeTask& t);
int feature_scratch(int width);
}  // namespace wyner::WYNER_ISA

namespace {
using namespace wyner;

inline int row_floats(int width) { return round_up(width, kBlock) + 64; }

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

// Rows of channels anywhere, in blocks.
struct RowsView {
  const float* const* rows;
  V operator()(int c, int b, int p) const { return load(rows[c] + b * kBlock + p * kLanes); }
};

void clear(FeatureTask& t) { std::memset(t.scratch, 0, sizeof(float) * WYNER_ISA::feature_scratch(t.w)); }

// Maps and inputs are whole blocks: what lies beyond the width is finite, and zero where it is a gradient.
template <int F, int kSources>
struct Maps {
  static constexpr int kInputs = 2 * kSources;

  static void forward(FeatureTask& t) {
    const int blocks = (t.w + kBlock - 1) / kBlock;
    clear(t);
    float weights[6 * F];
    transpose(t.weights, 6, F, kInputs, weights, F);
    for (int y = t.row0; y < t.row1; ++y) {
      const float* in[6];
      input_rows(t, y, in);
      float* out = t.features + long(y) * t.stride;
      dense<kInputs, F>(weights, RowsView{in}, blocks, bias(t.bias), [out, plane = t.plane](int f, int b, int p, V v) {
        store(out + long(f) * plane + b * kBlock + p * kLanes, v);
      });
    }
  }

  static void backward(FeatureTask& t) {
    clear(t);
    V gweights[6 * F] = {}, gbias[F] = {};
    for (int y = t.row0; y < t.row1; ++y) backward_row(t, y, gweights, gbias);
    float flat[6 * F];
    put_sums(gweights, kInputs * F, flat);
    columns(flat, kInputs, F, kInputs, t.gweights, 6);
    put_sums(gbias, F, t.gbias);
  }

 private:
  static void backward_row(FeatureTask& t, int y, V* gweights, V* gbias) {
    const int blocks = (t.w + kBlock - 1) / kBlock, row = row_floats(t.w);
    const RowView g{t.gfeatures + long(y) * t.stride, t.plane};
    bias_sum<F>(g, blocks, gbias);
    if constexpr (kSources > 0) {
      float weights[F * kInputs];
      columns(t.weights, 6, F, kInputs, weights, kInputs);
      const float* in[6];
      input_rows(t, y, in);
      outer<kInputs, F>(g, RowsView{in}, blocks, gweights);
      float* gin = t.scratch + 6 * row;
      dense<F, kInputs>(weights, g, blocks, no_bias(), [gin, row](int i, int b, int p, V v) {
        store(gin + i * row + b * kBlock + p * kLanes, v);
      });
      for (int i = 0; i < kInputs; ++i, gin += row) {
        const int m = i / 2;
        std::memset(gin + blocks * kBlock, 0, sizeof(float) * 4 * kLanes);
        add_reduced((i & 1 ? t.gmagnitude : t.gq)[m] + long(y >> m) * t.source_stride[m], gin, t.w, m);
      }
    }
  }
};

template <int F>
void run_forward(FeatureTask& t) {
  switch (t.sources) {
    case 0: return Maps<F, 0>::forward(t);
    case 1: return Maps<F, 1>::forward(t);
    case 2: return Maps<F, 2>::forward(t);
    default: return Maps<F, 3>::forward(t);
  }
}

template <int F>
void run_backward(FeatureTask& t) {
  switch (t.sources) {
    case 0: return Maps<F, 0>::backward(t);
    case 1: return Maps<F, 1>::backward(t);
    case 2: return Maps<F, 2>::backward(t);
    default: return Maps<F, 3>::backward(t);
  }
}

}  // namespace

namespace wyner::WYNER_ISA {

int feature_scratch(int width) { return 12 * row_floats(width); }

void features_forward(FeatureTask& t) {
  if (t.F == 2) run_forward<2>(t);
  else if (t.F == 4) run_forward<4>(t);
  else run_forward<6>(t);
}

void features_backward(FeatureTask& t) {
  if (t.F == 2) run_backward<2>(t);
  else if (t.F == 4) run_backward<4>(t);
  else run_backward<6>(t);
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
