// The finest upsampling, synthesis, squared error and all the way back, for one strip of rows; rows around the strip
// are computed again. Stages follow each other one row apart, so that few rows are alive and stay in the cache.
// Rows are split into even and odd columns, which is what upsampling makes and its gradient wants.
//
//   u --> 1x1 layers --> z0 --> r = relu(c1 * z0 + d1) --> z = z0 + c2 * r + d2 --> YCoCg to RGB --> error
#include "kernels/fit_conv.h"
#include "kernels/fit_doubling.h"
#include "kernels/fit_mlp.h"

namespace wyner::WYNER_ISA {
void fit_synth(SynthTask& t);
int fit_synth_scratch(int width, int G, int X);
}  // namespace wyner::WYNER_ISA

namespace {
using namespace wyner;

constexpr int kReach = 4;  // rows beyond a strip that its gradients depend on

// Rows of one strip that are alive.
struct Rows {
  static constexpr int kTall = 8, kLow = 4;
  Ring u, gu, z0, gz0, r, gr, gz;  // g: gradients; gz is that of z

  // u has `known` further planes without a gradient.
  Rows(float* scratch, int w, int planes, int known) {
    const int half = half_floats(w);
    auto ring = [&](int rows, int channels) {
      const Ring made{scratch, rows, channels, half};
      scratch += Ring::floats(rows, channels, half);
      made.clear();
      return made;
    };
    u = ring(kTall, planes + known);
    gu = ring(1, planes);
    z0 = ring(kTall, 3);
    gz0 = ring(1, 3);
    r = ring(kLow, 3);
    gr = ring(kLow, 3);
    gz = ring(kLow, 3);
  }
  static long floats(int w, int planes, int known) {
    const int half = half_floats(w);
    return Ring::floats(kTall, known, half) + Ring::floats(kTall + 1, planes + 3, half) + Ring::floats(kLow, 9, half);
  }
};

// z at one vector of pixels becomes the gradient of its squared error, which is returned.
inline V pixel_error(const SynthTask& t, V* z, const V* picture, VI inside) {
  constexpr float kUnit = 1.0f / 16;  // z counts sixteenths of full scale
  const float scale = t.gradient_scale * kUnit;
  V total{};
  auto error = [&](V value, int plane) {
    const V e = where(inside, value * kUnit - picture[plane]);
    total += e * e;
    return e * scale;
  };
  if (t.planes == 1) {
    z[0] = error(z[0], 0);
    z[1] = z[2] = V{};
    return total;
  }
  const V luma = z[0], co = z[1], cg = z[2];
  const V red = error(luma + co - cg, 0), green = error(luma + cg, 1), blue = error(luma - co - cg, 2);
  z[0] = red + green + blue;
  z[1] = red - blue;
  z[2] = green - red - blue;
  return total;
}

template <int GP, int M, int X>
class Synth {
 public:
  explicit Synth(const SynthTask& task)
      : t(task), h(t.h), w(t.w), half(half_floats(w)), at(t.G + X, t.M), rows(t.scratch, w, GP, X),
        doubling(t, t.scratch + Rows::floats(w, GP, X)), mlp(t.params, t.G),
        c1(ConvWeights::forward(t.params + at.c1)), c2(ConvWeights::forward(t.params + at.c2)),
        c1_back(ConvWeights::transposed(t.params + at.c1)), c2_back(ConvWeights::transposed(t.params + at.c2)) {}

  void run(SynthTask& task) {
    auto within = [this](int y, int reach) { return y >= 0 && y < h && y >= t.row0 - reach && y < t.row1 + reach; };
    for (int y = t.row0 < kReach ? 0 : t.row0 - kReach; y < t.row1 + kReach; ++y) {
      if (within(y, 4)) forward_z0(y);
      if (within(y - 1, 3)) forward_r(y - 1);
      if (within(y - 2, 2)) error_gradient(y - 2);
      if (within(y - 3, 1)) backward_r(y - 3);
      if (within(y - 4, 0)) backward_u(y - 4);
    }
    mlp.reduce(task.gparams);
    g1.reduce(task.gparams + at.c1, task.gparams + at.d1);
    g2.reduce(task.gparams + at.c2, task.gparams + at.d2);
    doubling.reduce(task.gtaps);
    task.squared_error = double(sum(error));
  }

 private:
  using Layers = Mlp<GP, M, X>;

  bool own(int y) const { return y >= t.row0 && y < t.row1; }

  // Calls f(offset into a row, blocks) for groups of blocks.
  template <class F>
  void groups(F f) const {
    for (int parity = 0; parity < 2; ++parity)
      for (int x = 0, n = count_of(w, parity); x < n; x += Layers::kGroup * kBlock)
        f(parity * half + x, clampi((n - x + kBlock - 1) / kBlock, 1, Layers::kGroup));
  }

  // Of all channels, from some offset into their rows.
  RowView row(const Ring& ring, int y, int at) const { return {ring.at(y, 0) + at, 2 * ring.half}; }
  auto into_row(const Ring& ring, int y, int at) const {
    return [dst = ring.at(y, 0) + at, step = 2L * ring.half](int o, int b, int p, V v) {
      store(dst + o * step + b * kBlock + p * kLanes, v);
    };
  }

  void forward_z0(int y) {
    if (!(y & 1)) doubling.forward(y >> 1, rows.u);
    split_row(t.u0 + long(y) * t.stride, w, rows.u.at(y, 0), rows.u.at(y, 0) + half);
    for (int k = 0; k < X; ++k)
      split_row(t.side[k] + long(y) * t.stride, w, rows.u.at(y, GP + k), rows.u.at(y, GP + k) + half);
    groups([&](int at, int blocks) { mlp.forward(row(rows.u, y, at), blocks, into_row(rows.z0, y, at)); });
    replicate_edges(rows.z0, y);
  }

  void replicate_edges(const Ring& ring, int y) const {
    for (int o = 0; o < 3; ++o) {
      ring.column(y, o, -1) = ring.column(y, o, 0);
      ring.column(y, o, w) = ring.column(y, o, w - 1);
    }
  }

  void forward_r(int y) {
    conv_row(rows.z0, taps_forward(y, h), w, c1, t.params + at.d1, [&](int x, V* even, V* odd) {
      for (int o = 0; o < 3; ++o) {
        store(rows.r.at(y, o) + x, vmax(even[o], V{}));
        store(rows.r.at(y, o) + half + x, vmax(odd[o], V{}));
      }
    });
    replicate_edges(rows.r, y);
  }

  void error_gradient(int y) {
    conv_row(rows.r, taps_forward(y, h), w, c2, t.params + at.d2, [&](int x, V* even, V* odd) {
      V picture[2][3];
      for (int o = 0; o < t.planes; ++o) {
        const float* src = t.image + o * t.image_plane + long(y) * t.stride + 2 * x;
        const V a = load(src), b = load(src + kLanes);
        picture[0][o] = even_lanes(a, b);
        picture[1][o] = odd_lanes(a, b);
      }
      for (int parity = 0; parity < 2; ++parity) {
        V* z = parity ? odd : even;
        const int at = parity * half + x;
        for (int o = 0; o < 3; ++o) z[o] += load(rows.z0.at(y, o) + at);
        const V e = pixel_error(t, z, picture[parity], below(x, count_of(w, parity)));
        if (own(y)) error += e;
        for (int o = 0; o < 3; ++o) store(rows.gz.at(y, o) + at, z[o]);
      }
    });
    if (own(y) && t.thinning.counts(y)) g2.add(rows.gz, rows.r, y, h, w);
  }

  // Row y of out = finish(offset, channel, transposed filter of g).
  template <class Finish>
  void conv_transposed(const Ring& g, int y, const ConvWeights& weights, const Ring& out, Finish finish) const {
    conv_row(g, taps_transposed(y, h), w, weights, nullptr, [&](int x, V* even, V* odd) {
      for (int parity = 0; parity < 2; ++parity)
        for (int o = 0; o < 3; ++o) {
          const int at = parity * half + x;
          const V value = finish(at, o, (parity ? odd : even)[o]);
          store(out.at(y, o) + at, where(below(x, count_of(w, parity)), value));
        }
    });
  }

  void backward_r(int y) {
    conv_transposed(rows.gz, y, c2_back, rows.gr, [&](int at, int o, V v) {
      return where(load(rows.r.at(y, o) + at) > V{}, v);
    });
    add_edges(rows.gz, taps_transposed(y, h), w, t.params + at.c2, rows.gr, y, &rows.r);
    if (own(y) && t.thinning.counts(y)) g1.add(rows.gr, rows.z0, y, h, w);
  }

  // Through the 1x1 layers and the upsampling.
  void backward_u(int y) {
    conv_transposed(rows.gr, y, c1_back, rows.gz0, [&](int at, int o, V v) { return v + load(rows.gz.at(y, o) + at); });
    add_edges(rows.gr, taps_transposed(y, h), w, t.params + at.c1, rows.gz0, y, nullptr);
    groups([&](int at, int blocks) {
      mlp.backward(row(rows.u, y, at), row(rows.gz0, y, at), blocks, t.thinning.counts(y), into_row(rows.gu, y, at));
    });
    merge_row(rows.gu.at(y, 0), rows.gu.at(y, 0) + half, w, t.gu0 + long(y) * t.stride);
    doubling.backward(y, rows.gu);
  }

  const SynthTask& t;
  const int h, w, half;
  const SynthLayout at;
  const Rows rows;
  Doubling doubling;
  Layers mlp;
  const ConvWeights c1, c2, c1_back, c2_back;
  ConvGradients g1, g2;
  V error{};
};

template <int GP, int M, int X>
void run(SynthTask& t) {
  Synth<GP, M, X>(t).run(t);
}

template <int M>
void run_m(SynthTask& t) {
  if (t.X) {
    if (t.G <= 7) run<7, M, kSidePlanes>(t);
    else run<9, M, kSidePlanes>(t);
  } else if (t.G <= 5) {
    run<5, M, 0>(t);
  } else if (t.G <= 7) {
    run<7, M, 0>(t);
  } else {
    run<9, M, 0>(t);
  }
}

}  // namespace

namespace wyner::WYNER_ISA {

int fit_synth_scratch(int width, int G, int X) {
  return int(Rows::floats(width, 9, X) + Doubling::floats(width, G - 1));
}

void fit_synth(SynthTask& t) {
  if (t.M == 8) run_m<8>(t);
  else if (t.M == 16) run_m<16>(t);
  else run_m<32>(t);
}

}  // namespace wyner::WYNER_ISA
