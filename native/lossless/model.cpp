#include "lossless/model.h"

#include <algorithm>
#include <cstdlib>
#include <functional>

#include "base/error.h"

namespace wyner::lossless {
namespace {

// The largest integer in magnitude that a layer is given: values, or features (section 5).
constexpr int64_t kFeatureLimit = 12288;

// What products may sum to: with a bias, and what rounds, they stay below 2^31.
constexpr int64_t kMostSum = int64_t{3} << 29;

struct Shape {
  int inputs, outputs, taps = 1, bias_rows = 1;
  int64_t limit = kValueLimit;
  double positions = 0;  // for each pixel of the picture, how often it is computed
  int64_t most = kMostSum;
};

// Calls visit(layer, shape) for every layer, in the order of the file.
template <class ModelType, class Visit>
void for_layers(ModelType& m, const Sizes& s, Visit visit) {
  const double level = 1.0 / 3;  // positions of a phase over pixels: 1/4 + 1/16 + ...
  const auto pair = [&](auto& block, int inputs, int outputs, double positions) {
    visit(block.first, Shape{inputs, outputs, 9, 1, kValueLimit, positions});
    visit(block.second, Shape{outputs, outputs, 9, 1, kValueLimit, positions});
  };
  visit(m.stem, Shape{features_of(0), s.full, 1, kLevels, kFeatureLimit, level});
  pair(m.down_full, s.full, s.full, level);
  pair(m.down_half, s.full, s.half, level / 4);
  pair(m.down_quarter, s.half, s.quarter, level / 16);
  visit(m.to_qkv, Shape{s.quarter, 3 * s.quarter, 1, 1, kValueLimit, level / 16});
  visit(m.attention_out, Shape{s.quarter, s.quarter, 1, 1, kValueLimit, level / 16});
  visit(m.spread_half, Shape{s.quarter, 4 * s.half, 1, 1, kValueLimit, level / 16});
  pair(m.up_half, 2 * s.half, s.half, level / 4);
  visit(m.spread_full, Shape{s.half, 4 * s.full, 1, 1, kValueLimit, level / 4});
  pair(m.up_full, 2 * s.full, s.full, level);
  for (int phase = 0; phase < kPhases; ++phase) {
    auto& trunk = m.trunks[size_t(phase)];
    visit(trunk.stem, Shape{features_of(phase) + s.full, s.full, 1, kLevels, kFeatureLimit, level});
    trunk.blocks.resize(size_t(s.blocks[size_t(phase)]));
    for (auto& block : trunk.blocks) pair(block, s.full, s.full, level);
    for (int h = 0; h < kHeads; ++h) {
      Head& head = trunk.heads[size_t(h)];
      // Sums of these two are added.
      visit(head.trunk, Shape{s.full, s.hidden, 1, 1, kValueLimit, level, kMostSum / 2});
      if (h > 0) visit(head.known, Shape{2, s.hidden, 9, 0, kValueLimit, level, kMostSum / 2});
      visit(head.hidden, Shape{s.hidden, s.hidden, 1, 1, kValueLimit, level});
      visit(head.out, Shape{s.hidden, 3 * kMixture, 1, 1, kValueLimit, level});
    }
  }
}

void check_sizes(const Sizes& s) {
  for (int width : {s.full, s.half, s.quarter, s.hidden})
    require(width >= 2 && width % 2 == 0 && width <= kMaxWidth, "lossless: a width of the network is out of range");
  require(s.quarter % (16 * kAttentionHeads) == 0, "lossless: attention needs heads of 16 or 32 channels");
  for (int blocks : s.blocks) require(blocks >= 0 && blocks <= kMaxBlocks, "lossless: too many blocks");
}

// Weights (outputs, inputs, taps) to the order of ConvPlan.
AlignedVector<int16_t> packed(const Shape& shape, const int16_t* from) {
  const int groups = (shape.outputs + kOutputs - 1) / kOutputs, pairs = shape.inputs / 2;
  AlignedVector<int16_t> to(size_t(groups) * pairs * shape.taps * kOutputs * 2, 0);
  for (int o = 0; o < shape.outputs; ++o)
    for (int i = 0; i < shape.inputs; ++i)
      for (int t = 0; t < shape.taps; ++t) {
        const size_t cell = (size_t(o / kOutputs) * pairs + i / 2) * shape.taps + t;
        to[(cell * kOutputs + o % kOutputs) * 2 + i % 2] =
            from[(size_t(o) * shape.inputs + i) * shape.taps + t];
      }
  return to;
}

int64_t largest_sum(const Shape& shape, const int16_t* row) {
  int64_t sum = 0;
  for (int i = 0; i < shape.inputs * shape.taps; ++i) sum += std::abs(int(row[i]));
  return sum * shape.limit;
}

constexpr int64_t kMaxBias = int64_t{1} << 28;

}  // namespace

std::vector<LayerShape> shapes_of(const Sizes& sizes) {
  check_sizes(sizes);
  Model unused;
  std::vector<LayerShape> shapes;
  for_layers(unused, sizes, [&](Layer&, const Shape& shape) {
    shapes.push_back({shape.inputs, shape.outputs, shape.taps, shape.bias_rows, (shape.most - 1) / shape.limit});
  });
  return shapes;
}

Counts counts_of(const Sizes& sizes) {
  Counts counts{};
  for (const LayerShape& shape : shapes_of(sizes)) {
    counts.weights += size_t(shape.inputs) * shape.outputs * shape.taps;
    counts.biases += size_t(shape.outputs) * shape.bias_rows;
  }
  return counts;
}

Model make_model(const Sizes& sizes, const std::vector<int16_t>& weights, const std::vector<int32_t>& biases) {
  const Counts counts = counts_of(sizes);
  require(weights.size() == counts.weights && biases.size() == counts.biases,
          "lossless: these are not the weights of a network of these sizes");
  Model model;
  model.sizes = sizes;
  const int16_t* w = weights.data();
  const int32_t* b = biases.data();
  for_layers(model, sizes, [&](Layer& layer, const Shape& shape) {
    layer.inputs = shape.inputs, layer.outputs = shape.outputs, layer.taps = shape.taps;
    layer.weights = packed(shape, w);
    for (int o = 0; o < shape.outputs; ++o, w += shape.inputs * shape.taps)
      require(largest_sum(shape, w) < shape.most, "lossless: a sum of the network could overflow");
    for (int row = 0; row < shape.bias_rows; ++row, b += shape.outputs) {
      layer.biases.emplace_back(b, b + shape.outputs);
      for (int32_t bias : layer.biases.back())
        require(std::abs(int64_t{bias}) < kMaxBias, "lossless: a bias of the network is too large");
      layer.biases.back().resize(size_t(layer.padded_outputs()), 0);
    }
  });
  return model;
}

double macs_per_pixel(const Sizes& sizes) {
  Model shapes;
  double sum = 0;
  for_layers(shapes, sizes, [&](Layer&, const Shape& shape) {
    sum += double(shape.inputs) * shape.outputs * shape.taps * shape.positions;
  });
  return sum;
}

}  // namespace wyner::lossless
