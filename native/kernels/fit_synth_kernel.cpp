// Synthesis, squared error and the way back to z0 for one strip of rows; rows around the strip are recomputed.
// Stages follow each other one row apart, so that few rows are alive and stay in the cache.
//
//   u --> 1x1 layers --> z0 --> r = relu(c1 * z0 + d1) --> z = z0 + c2 * r + d2 --> YCoCg to RGB --> error
#include "kernels/fit_mlp.h"

namespace wyner::WYNER_ISA {
void fit_synth(SynthTask& t);
int fit_synth_scratch(int stride);
}  // namespace wyner::WYNER_ISA

namespace {
using namespace wyner;

inline int row_floats(int stride) { return stride + 2 * kPad; }

constexpr int kRing = 8;  // rows kept; the farthest apart in use at once are 4

// The latest rows of three planes; column -1 and the one past the end are readable.
struct Ring {
  float* base;
  int row;
  float* at(int y, int plane) const { return base + ((y & (kRing - 1)) * 3 + plane) * row + kPad; }
};

inline int clampi(int v, int lo, int hi) { return v < lo ? lo : (v > hi ? hi : v); }

void replicate_edges(float* row, int w) {
  row[-1] = row[0];
  for (int x = w; x < w + kLanes; ++x) row[x] = row[w - 1];
}

void zero_edges(float* row, int w) {
  row[-1] = 0;
  for (int x = w; x < w + kLanes; ++x) row[x] = 0;
}

// out[o] = d[o] + sum c[o][i][dy][dx] in[i](y + dy, x + dx): one row; rows of `in` clamped to the picture.
void conv_row(const Ring& in, int y, int h, int w, const float* c, const float* d, float* const* out) {
  const float* src[3][3];
  for (int i = 0; i < 3; ++i)
    for (int k = 0; k < 3; ++k) src[i][k] = in.at(clampi(y + k - 1, 0, h - 1), i) - 1;
  for (int x = 0; x < w; x += 2 * kLanes) {
    V acc[3][2];
    for (int o = 0; o < 3; ++o) acc[o][0] = acc[o][1] = splat(d[o]);
    for (int i = 0; i < 3; ++i)
      for (int k = 0; k < 9; ++k) {
        const float* s = src[i][k / 3] + k % 3 + x;
        const V a = load(s), b = load(s + kLanes);
        for (int o = 0; o < 3; ++o) {
          const V weight = splat(c[o * 27 + i * 9 + k]);
          acc[o][0] += weight * a;
          acc[o][1] += weight * b;
        }
      }
    for (int o = 0; o < 3; ++o) {
      store(out[o] + x, acc[o][0]);
      store(out[o] + x + kLanes, acc[o][1]);
    }
  }
}

// One source row of the transposed filter: gradient rows g, reached through filter row k.
struct Tap {
  int y, k;
};

// The (row, filter row) pairs that row y of the input reaches, clamped rows folded in.
int taps_of_row(int y, int h, int lo, int hi, Tap* taps) {
  int n = 0;
  auto add = [&](int yy, int k) {
    if (yy >= lo && yy < hi) taps[n++] = {yy, k};
  };
  for (int k = 0; k < 3; ++k) add(y - (k - 1), k);
  if (y == 0) add(0, 0);          // row -1, seen by row 0, is row 0
  if (y == h - 1) add(h - 1, 2);  // row h, seen by row h-1, is row h-1
  return n;
}

// out[i] = sum over taps of the transposed filter; g rows are zero outside [0, w).
void conv_transposed_row(const Ring& g, int y, int h, int lo, int hi, int w, const float* c, float* const* out) {
  Tap taps[5];
  const int n = taps_of_row(y, h, lo, hi, taps);
  for (int x = 0; x < w; x += 2 * kLanes) {
    V acc[3][2] = {};
    for (int j = 0; j < n; ++j)
      for (int o = 0; o < 3; ++o)
        for (int dx = 0; dx < 3; ++dx) {
          const float* s = g.at(taps[j].y, o) + x + 1 - dx;
          const V a = load(s), b = load(s + kLanes);
          for (int i = 0; i < 3; ++i) {
            const V weight = splat(c[o * 27 + i * 9 + taps[j].k * 3 + dx]);
            acc[i][0] += weight * a;
            acc[i][1] += weight * b;
          }
        }
    for (int i = 0; i < 3; ++i) {
      store(out[i] + x, acc[i][0]);
      store(out[i] + x + kLanes, acc[i][1]);
    }
  }
  for (int j = 0; j < n; ++j)  // columns -1 and w are columns 0 and w-1
    for (int o = 0; o < 3; ++o)
      for (int i = 0; i < 3; ++i) {
        const float* k = c + o * 27 + i * 9 + taps[j].k * 3;
        out[i][0] += k[0] * g.at(taps[j].y, o)[0];
        out[i][w - 1] += k[2] * g.at(taps[j].y, o)[w - 1];
      }
}

// gc += g(y) x in(y + dy, x + dx), gd += g(y); per-lane sums.
void conv_weight_gradient(const Ring& g, const Ring& in, int y, int h, int w, V* gc, V* gd) {
  const float* gs[3] = {g.at(y, 0), g.at(y, 1), g.at(y, 2)};
  for (int o = 0; o < 3; ++o)
    for (int x = 0; x < w; x += kLanes) gd[o] += load(gs[o] + x);
  for (int i = 0; i < 3; ++i)
    for (int k = 0; k < 3; ++k) {
      const float* s = in.at(clampi(y + k - 1, 0, h - 1), i) - 1;
      V acc[3][3];
      for (int o = 0; o < 3; ++o)
        for (int dx = 0; dx < 3; ++dx) acc[o][dx] = gc[o * 27 + i * 9 + k * 3 + dx];
      for (int x = 0; x < w; x += kLanes) {
        const V s0 = load(s + x), s1 = load(s + x + 1), s2 = load(s + x + 2);
        for (int o = 0; o < 3; ++o) {
          const V gv = load(gs[o] + x);
          acc[o][0] += gv * s0;
          acc[o][1] += gv * s1;
          acc[o][2] += gv * s2;
        }
      }
      for (int o = 0; o < 3; ++o)
        for (int dx = 0; dx < 3; ++dx) gc[o * 27 + i * 9 + k * 3 + dx] = acc[o][dx];
    }
}

// Squared error of row y of z, and its gradient, written over z.
V error_row(const SynthTask& t, int y, float* const* z) {
  constexpr float kUnit = 1.0f / 16;  // z counts sixteenths of full scale
  const float scale = t.gradient_scale * kUnit;
  V total{};
  const float* x0 = t.image + long(y) * t.stride;
  for (int x = 0; x < t.w; x += kLanes) {
    const VI inside = lane_index() + float(x) < splat(float(t.w));
    auto error = [&](V value, int plane) {
      const V e = as_float(as_int(value * kUnit - load(x0 + plane * t.image_plane + x)) & inside);
      total += e * e;
      return e * scale;
    };
    const V luma = load(z[0] + x);
    if (t.planes == 1) {
      store(z[0] + x, error(luma, 0));
      store(z[1] + x, V{});
      store(z[2] + x, V{});
      continue;
    }
    const V co = load(z[1] + x), cg = load(z[2] + x);
    const V red = error(luma + co - cg, 0), green = error(luma + cg, 1), blue = error(luma - co - cg, 2);
    store(z[0] + x, red + green + blue);
    store(z[1] + x, red - blue);
    store(z[2] + x, green - red - blue);
  }
  for (int o = 0; o < 3; ++o) zero_edges(z[o], t.w);
  return total;
}

// One strip: stage by stage, each for one row.
template <int GP, int M>
struct Synth {
  const SynthTask& t;
  const SynthLayout at;
  const Mlp<GP, M> mlp;
  const int h, w;
  const int lo1, hi1, lo2, hi2;  // rows of r and its gradient; rows of z0 and its gradient
  Ring z0, r, gz, gr;
  V error{}, gc1[81] = {}, gd1[3] = {}, gc2[81] = {}, gd2[3] = {};

  explicit Synth(const SynthTask& task)
      : t(task), at(t.G, t.M), mlp(t.params, t.G), h(t.h), w(t.w), lo1(clampi(t.row0 - 1, 0, h)),
        hi1(clampi(t.row1 + 1, 0, h)), lo2(clampi(t.row0 - 2, 0, h)), hi2(clampi(t.row1 + 2, 0, h)) {
    const int row = row_floats(t.stride), floats = 3 * kRing * row;
    z0 = {t.scratch, row};
    r = {t.scratch + floats, row};
    gz = {t.scratch + 2 * floats, row};
    gr = {t.scratch + 3 * floats, row};
  }

  void forward_z0(int y) {
    for (int x0 = 0; x0 < w; x0 += kBlock) {
      Block hx[M + GP], z[3];
      mlp.load_inputs(t.u, t.G, long(y) * t.stride + x0, hx + M);
      mlp.hidden(hx);
      mlp.output(hx, z);
      for (int o = 0; o < 3; ++o)
        for (int p = 0; p < kVecs; ++p) store(z0.at(y, o) + x0 + p * kLanes, z[o][p]);
    }
    for (int o = 0; o < 3; ++o) replicate_edges(z0.at(y, o), w);
  }

  void forward_r(int y) {
    float* out[3] = {r.at(y, 0), r.at(y, 1), r.at(y, 2)};
    conv_row(z0, y, h, w, t.params + at.c1, t.params + at.d1, out);
    for (float* row : out) {
      for (int x = 0; x < w; x += kLanes) store(row + x, vmax(load(row + x), V{}));
      replicate_edges(row, w);
    }
  }

  void error_gradient(int y) {
    float* out[3] = {gz.at(y, 0), gz.at(y, 1), gz.at(y, 2)};
    conv_row(r, y, h, w, t.params + at.c2, t.params + at.d2, out);
    for (int o = 0; o < 3; ++o)
      for (int x = 0; x < w; x += kLanes) store(out[o] + x, load(out[o] + x) + load(z0.at(y, o) + x));
    error += error_row(t, y, out);
    conv_weight_gradient(gz, r, y, h, w, gc2, gd2);
  }

  void backward_r(int y) {
    float* out[3] = {gr.at(y, 0), gr.at(y, 1), gr.at(y, 2)};
    conv_transposed_row(gz, y, h, t.row0, t.row1, w, t.params + at.c2, out);
    for (int o = 0; o < 3; ++o) {
      const float* active = r.at(y, o);
      for (int x = 0; x < w; x += kLanes) store(out[o] + x, where(load(active + x) > V{}, load(out[o] + x)));
      zero_edges(out[o], w);
    }
    conv_weight_gradient(gr, z0, y, h, w, gc1, gd1);
  }

  void backward_z0(int y) {
    const bool own = y >= t.row0 && y < t.row1;
    const int slot = y < t.row0 ? y - t.row0 + 2 : 2 + y - t.row1;
    float* out[3];
    for (int i = 0; i < 3; ++i)
      out[i] = own ? t.gz + i * t.gz_plane + long(y) * t.stride : t.halo + (slot * 3 + i) * t.stride;
    conv_transposed_row(gr, y, h, lo1, hi1, w, t.params + at.c1, out);
    for (int i = 0; i < 3; ++i) {
      if (own)
        for (int x = 0; x < w; x += kLanes) store(out[i] + x, load(out[i] + x) + load(gz.at(y, i) + x));
      for (int x = w; x < w + kLanes; ++x) out[i][x] = 0;
    }
  }

  void run() {
    auto within = [](int y, int lo, int hi) { return y >= lo && y < hi; };
    for (int y = lo2; y < hi2 + 4; ++y) {
      if (y < hi2) forward_z0(y);
      if (within(y - 1, lo1, hi1)) forward_r(y - 1);
      if (within(y - 2, t.row0, t.row1)) error_gradient(y - 2);
      if (within(y - 3, lo1, hi1)) backward_r(y - 3);
      if (within(y - 4, lo2, hi2)) backward_z0(y - 4);
    }
  }
};

template <int GP, int M>
void run(SynthTask& t) {
  Synth<GP, M> synth(t);
  synth.run();
  for (int i = 0; i < 81; ++i) {
    t.gparams[synth.at.c1 + i] = sum(synth.gc1[i]);
    t.gparams[synth.at.c2 + i] = sum(synth.gc2[i]);
  }
  for (int o = 0; o < 3; ++o) {
    t.gparams[synth.at.d1 + o] = sum(synth.gd1[o]);
    t.gparams[synth.at.d2 + o] = sum(synth.gd2[o]);
  }
  t.squared_error = double(sum(synth.error));
}

template <int M>
void run_m(SynthTask& t) {
  if (t.G < 4) run<4, M>(t);
  else if (t.G < 8) run<8, M>(t);
  else run<12, M>(t);
}

}  // namespace

namespace wyner::WYNER_ISA {

int fit_synth_scratch(int stride) { return 4 * 3 * kRing * row_floats(stride); }

void fit_synth(SynthTask& t) {
  if (t.M == 8) run_m<8>(t);
  else if (t.M == 16) run_m<16>(t);
  else run_m<32>(t);
}

}  // namespace wyner::WYNER_ISA
