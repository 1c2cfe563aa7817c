#include "lossless/network.h"

#include <algorithm>

#include "coder/distribution.h"
#include "kernels/lossless_tables.h"
#include "lossless/layers.h"

namespace wyner::lossless {
namespace {

// The first layer of the UNet or of a trunk; context is null for the former.
Field stem(const Setting& setting, const Level& level, int phase, const Layer& layer, const Field* context) {
  Field out(layer.outputs, level.grid_width, level.grid_height);
  for_rows(setting.pool, level.grid_height, [&](int y) {
    Known known;
    Features features;
    for (int x = 0; x < level.grid_width; x += kSegment) {
      look(level, phase, y, x, known);
      make_features(level, phase, y, x, setting.depth, known, features);
      Segment inputs;
      for (int p = 0; p < features_of(phase) / 2; ++p) inputs.add(features.pairs[p]);
      if (context) inputs.add(*context, y, x);
      Sums sums(layer, setting.number);
      sums.add(layer, inputs.data(), 0);
      lossless_kernels().norm_relu(sums.data(), layer.outputs, nullptr, Target(out, y, x).data());
    }
    out.end_row(y);
  });
  return out;
}

int rounded(int32_t sum, int shift) { return (sum + (1 << (shift - 1))) >> shift; }

// Weights out of 2^16 from logarithms to base 2 in 1/256; the first of the largest has what rounding leaves.
void share(const int* logs, int32_t* weights) {
  int best = 0;
  for (int k = 1; k < kMixture; ++k)
    if (logs[k] > logs[best]) best = k;
  int32_t powers[kMixture], sum = 0;
  for (int k = 0; k < kMixture; ++k) sum += powers[k] = power_of_half(logs[best] - logs[k]);
  int32_t rest = int32_t(kWeightSum);
  for (int k = 0; k < kMixture; ++k) rest -= weights[k] = int32_t((int64_t{powers[k]} << 16) / sum);
  weights[best] += rest;
}

constexpr int kLogLimit = 1 << 13;     // of logarithms that a head gives, in 1/256
constexpr int kPlaceLimit = 1 << 15;   // of places, in 1/1024 of the spread
constexpr int kLeastScale = 8;
constexpr int kUnitScale = 72;         // of docs/spec/coder.md: a scale of one sample

}  // namespace

Field make_context(const Setting& setting, const Level& level) {
  const Model& m = setting.model;
  ThreadPool& pool = setting.pool;
  const Field first = stem(setting, level, 0, m.stem, nullptr);
  const Field full = double_conv(m.down_full, {&first}, pool);
  const Field half_in = max_pool(full, pool);
  const Field half = double_conv(m.down_half, {&half_in}, pool);
  const Field quarter_in = max_pool(half, pool);
  const Field quarter = double_conv(m.down_quarter, {&quarter_in}, pool);
  const Field attended = attention(m.to_qkv, m.attention_out, quarter, pool);
  const Field half_up = spread(m.spread_half, attended, pool);
  const Field half_out = double_conv(m.up_half, {&half, &half_up}, pool);
  const Field full_up = spread(m.spread_full, half_out, pool);
  return double_conv(m.up_full, {&full, &full_up}, pool);
}

Field make_state(const Setting& setting, const Level& level, int phase, const Field& context) {
  const Trunk& trunk = setting.model.trunks[size_t(phase)];
  Field state = stem(setting, level, phase, trunk.stem, &context);
  for (const DoubleConv& block : trunk.blocks) state = double_conv(block, {&state}, setting.pool);
  return state;
}

void make_mixtures(const Setting& setting, int phase, int head_number, const Field& state, const Field& seen, int y,
                   int x, const Known& known, Mixtures& mixtures) {
  const Head& head = setting.model.trunks[size_t(phase)].heads[size_t(head_number)];
  alignas(64) int16_t made[2][kMaxWidth / 2][2 * kSegment];
  int16_t* rows[2][kMaxWidth / 2];
  for (int i = 0; i < 2; ++i)
    for (int p = 0; p < kMaxWidth / 2; ++p) rows[i][p] = made[i][p];
  Sums sums(head.trunk);
  sums.add(head.trunk, Segment({&state}, y, x).data(), 0);
  if (head_number > 0) sums.add(head.known, Segment({&seen}, y, x).data(), seen.row_stride());
  lossless_kernels().limit(sums.data(), head.trunk.outputs, 0, rows[0]);
  sums.begin(head.hidden);
  sums.add(head.hidden, rows[0], 0);
  lossless_kernels().limit(sums.data(), head.hidden.outputs, 0, rows[1]);
  sums.begin(head.out);
  sums.add(head.out, rows[1], 0);

  const int colour = std::max(0, head_number - 1);
  const int64_t per_neighbour = ((1 << 20) + kNeighbours[size_t(phase)] / 2) / kNeighbours[size_t(phase)];
  const int unit = log2_of(uint32_t(4 * kNeighbours[size_t(phase)]));
  for (int i = 0; i < kSegment; ++i) {
    const int64_t spread = (known.spread[colour][i] * per_neighbour) >> 14;  // its mean, in 1/256 of a step
    const int log_spread = log2_of(uint32_t(known.spread[colour][i])) - unit;
    int logs[kMixture];
    for (int k = 0; k < kMixture; ++k) {
      constexpr int kToLog = kWeightBits, kToPlace = kWeightBits - 2;
      logs[k] = std::clamp(rounded(sums.of(k)[i], kToLog), -kLogLimit, kLogLimit);
      const int64_t place = std::clamp(rounded(sums.of(kMixture + k)[i], kToPlace), -kPlaceLimit, kPlaceLimit);
      const int64_t location = 64 * int64_t{known.base[colour][i]} + ((place * spread + 512) >> 10);
      mixtures.location[i][k] = int32_t(std::clamp<int64_t>(location, -kMaxLocation, kMaxLocation));
      const int log_scale =
          log_spread + std::clamp(rounded(sums.of(2 * kMixture + k)[i], kToLog), -kLogLimit, kLogLimit);
      mixtures.scale[i][k] = uint8_t(std::clamp(((log_scale + 8) >> 4) + kUnitScale, kLeastScale, 255));
    }
    share(logs, mixtures.weight[i]);
  }
}

}  // namespace wyner::lossless
