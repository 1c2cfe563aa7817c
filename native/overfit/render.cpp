// Synthesis: from the planes of grid 1 and the latents of grid 0 to samples, as a stream of rows (spec,
// sections 8 and 9).
#include <algorithm>
#include <array>

#include "base/parallel.h"
#include "kernels/linear.h"
#include "overfit/codec.h"
#include "overfit/upsample.h"

namespace wyner::overfit {

namespace {

constexpr int kRing = 4;       // rows of z and of r in flight; a 3x3 filter needs three
constexpr int kChunk = 256;    // columns whose hidden layer is computed at a time
constexpr int kColourBits = kSideBits;
constexpr int kMaxPlanes = kMaxGrids + kSidePlanes;
static_assert(kMaxHidden + kMaxPlanes <= 2 * kMaxLinearPairs);

struct Layers {
  Linear hidden, colour, conv1, conv2;
};

Linear conv_layer(const Network& net, int filters, int biases, bool relu) {
  const int shift = net.header.k[kGroupConv];
  Linear linear(27, 3, shift, relu);
  const int left = shift + kColourBits - net.header.k[kGroupConvBias];
  for (int o = 0; o < 3; ++o) {
    for (int i = 0; i < 27; ++i) linear.set(o, i, net.tensor(filters)[o * 27 + i]);
    linear.add_bias(o, net.tensor(biases)[o] * (1 << left));
  }
  return linear;
}

Linear hidden_layer(const Network& net) {
  const Header& h = net.header;
  const int inputs = net.planes();
  Linear linear(inputs, net.model.M, h.k[kGroupSynW1], true);
  for (int o = 0; o < net.model.M; ++o) {
    for (int i = 0; i < inputs; ++i) linear.set(o, i, net.tensor(kSynW1)[o * inputs + i]);
    const int left = h.k[kGroupSynW1] + h.fu - h.k[kGroupSynBias];
    linear.add_bias(o, net.tensor(kSynB1)[o] * (1 << left));
  }
  return linear;
}

// From the hidden layer and the planes themselves to Y, Co, Cg in Q10.
Linear colour_layer(const Network& net) {
  const Header& h = net.header;
  const int M = net.model.M, inputs = net.planes();
  Linear linear(M + inputs, 3, h.k[kGroupSynW2] + h.fu - kColourBits, false);
  for (int o = 0; o < 3; ++o) {
    for (int i = 0; i < M; ++i) linear.set(o, i, net.tensor(kSynW2)[o * M + i]);
    for (int i = 0; i < inputs; ++i) linear.set(o, M + i, net.tensor(kSynWl)[o * inputs + i]);
    const int left = h.k[kGroupSynW2] + h.fu - h.k[kGroupSynBias];
    linear.add_bias(o, net.tensor(kSynB2)[o] * (1 << left));
  }
  return linear;
}

// Computes output rows in order; z and r rows are made when first needed and kept in rings.
class RowStream {
 public:
  RowStream(const Network& net, const Layers& layers, const Plane& latents,
            const std::vector<Plane>& coarser, const SideInputs& side, const Picture& picture, int first)
      : kernels_(row_kernels()),
        layers_(layers),
        side_(side),
        picture_(picture),
        fu_(net.header.fu),
        upsampler_(net, 0, latents, coarser),
        next_z_(std::max(0, first - 2)),
        next_r_(std::max(0, first - 1)),
        u_(net.planes(), Row(picture.width + 1)),
        h_(net.model.M, Row(kChunk)) {
    for (auto* ring : {&z_, &r_})
      for (auto& rows : *ring) rows.fill(Row(picture.width));
    residual_.fill(Row(picture.width));
  }

  void row(int y, void* out) {
    while (next_r_ <= std::min(y + 1, picture_.height - 1)) make_r(next_r_++);
    convolve(layers_.conv2, r_, y, residual_);
    const auto& z = z_[y % kRing];
    const int16_t* in[3] = {z[0].begin(), z[1].begin(), z[2].begin()};
    const int16_t* residual[3] = {residual_[0].begin(), residual_[1].begin(), residual_[2].begin()};
    kernels_.samples(in, residual, picture_.channels, picture_.maxval, out, picture_.width);
  }

 private:
  using Rows = std::array<Row, 3>;
  using Ring = std::array<Rows, kRing>;

  void make_r(int y) {
    while (next_z_ <= std::min(y + 1, picture_.height - 1)) make_z(next_z_++);
    convolve(layers_.conv1, z_, y, r_[y % kRing]);
    for (Row& row : r_[y % kRing]) row.extend(1);
  }

  void make_z(int y) {
    int16_t* u[kMaxPlanes];
    for (size_t p = 0; p < u_.size(); ++p) u[p] = u_[p].begin();
    upsampler_.row(y, u);
    const size_t grids = u_.size() - side_.planes.size();
    for (size_t p = 0; p < side_.planes.size(); ++p) {
      const int16_t* from = side_.planes[p].row(y);
      for (int x = 0; x < picture_.width; ++x) u[grids + p][x] = to_bits(from[x], kColourBits, fu_);
    }
    Rows& z = z_[y % kRing];
    for (int x = 0; x < picture_.width; x += kChunk) synthesise(u, x, z);
    for (Row& row : z) row.extend(1);
  }

  void synthesise(int16_t* const* u, int x, Rows& z) {
    const int width = std::min(kChunk, picture_.width - x);
    const int planes = int(u_.size()), hidden = int(h_.size());
    const int16_t* in[kMaxHidden + kMaxPlanes + 1];
    int16_t* out[kMaxHidden];
    for (int p = 0; p <= planes; ++p) in[p] = u[std::min(p, planes - 1)] + x;
    for (int o = 0; o < hidden; ++o) out[o] = h_[o].begin();
    kernels_.linear(layers_.hidden.plan(), in, out, width);
    std::copy(out, out + hidden, in);
    for (int p = 0; p <= planes; ++p) in[hidden + p] = u[std::min(p, planes - 1)] + x;
    for (int o = 0; o < 3; ++o) out[o] = z[o].begin() + x;
    kernels_.linear(layers_.colour.plan(), in, out, width);
  }

  void convolve(const Linear& layer, const Ring& from, int y, Rows& to) {
    const int16_t* in[28];
    for (int c = 0; c < 3; ++c)
      for (int dy = 0; dy < 3; ++dy) {
        const int row = std::clamp(y + dy - 1, 0, picture_.height - 1);
        for (int dx = 0; dx < 3; ++dx) in[(c * 3 + dy) * 3 + dx] = from[row % kRing][c].begin() + dx - 1;
      }
    in[27] = in[26];
    int16_t* out[3] = {to[0].begin(), to[1].begin(), to[2].begin()};
    kernels_.linear(layer.plan(), in, out, picture_.width);
  }

  const RowKernels& kernels_;
  const Layers& layers_;
  const SideInputs& side_;
  const Picture& picture_;
  const int fu_;
  Upsampler upsampler_;
  int next_z_, next_r_;
  std::vector<Row> u_, h_;
  Ring z_, r_;
  Rows residual_;
};

void scale_latents(const Network& net, std::vector<Plane>& latents) {
  for (Plane& q : latents)
    for (int y = 0; y < q.height; ++y)
      for (int16_t *p = q.row(y), *end = p + q.width; p < end; ++p)
        *p = int16_t(std::clamp(*p * (1 << net.header.fu), -32768, 32767));
}

}  // namespace

void render(const Network& net, std::vector<Plane>&& latents, const Picture& picture, int threads, void* samples,
            const SideInputs& side) {
  scale_latents(net, latents);
  const std::vector<Plane> coarser = upsample_to_grid_1(net, latents, threads);
  const Layers layers = {hidden_layer(net), colour_layer(net), conv_layer(net, kSynC1, kSynD1, true),
                         conv_layer(net, kSynC2, kSynD2, false)};
  const size_t row_bytes = size_t(picture.width) * picture.channels * (picture.maxval > 255 ? 2 : 1);
  parallel_parts(picture.height, threads, [&](int begin, int end) {
    RowStream stream(net, layers, latents[0], coarser, side, picture, begin);
    for (int y = begin; y < end; ++y) stream.row(y, static_cast<char*>(samples) + y * row_bytes);
  });
}

}  // namespace wyner::overfit
