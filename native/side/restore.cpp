#include "side/restore.h"

#include <algorithm>
#include <cstdlib>

#include "base/error.h"
#include "base/parallel.h"
#include "kernels/linear.h"

namespace wyner::side {
namespace {

constexpr int kMargin = 32;  // before the rows, so that they begin where vectors do; one sample of it is used

// Planes of half the size whose rows are repeated by one sample at both ends, with slack for whole vectors.
class HalfPlanes {
 public:
  HalfPlanes(int count, int width, int height)
      : count(count), width(width), height(height), stride_(size_t(width) + kMargin + kRowSlack),
        data_(stride_ * height * count) {}

  int16_t* row(int plane, int y) { return data_.data() + (size_t(plane) * height + y) * stride_ + kMargin; }
  const int16_t* row(int plane, int y) const { return const_cast<HalfPlanes*>(this)->row(plane, y); }

  void extend(int plane, int y) {
    int16_t* r = row(plane, y);
    r[-1] = r[0];
    r[width] = r[width - 1];
  }

  int count, width, height;

 private:
  size_t stride_;
  std::vector<int16_t> data_;
};

HalfPlanes quartered(const int16_t* planes, int count, int width, int height, int level, int threads) {
  HalfPlanes out(4 * count + 1, (width + 1) / 2, (height + 1) / 2);
  parallel_parts(out.height, threads, [&](int begin, int end) {
    for (int y = begin; y < end; ++y) {
      for (int p = 0; p < 4 * count; ++p) {
        const int16_t* from = planes + (size_t(p / 4) * height + std::min(2 * y + p % 4 / 2, height - 1)) * width;
        int16_t* to = out.row(p, y);
        for (int x = 0; x < out.width; ++x) to[x] = from[std::min(2 * x + p % 2, width - 1)];
        out.extend(p, y);
      }
      std::fill_n(out.row(4 * count, y) - 1, out.width + 2, int16_t(level));
    }
  });
  return out;
}

Linear linear_of(const Layer& layer, bool last) {
  Linear linear(9 * layer.inputs, layer.outputs, layer.shift, !last);
  for (int o = 0; o < layer.outputs; ++o) {
    for (int i = 0; i < 9 * layer.inputs; ++i)
      linear.set(o, i, layer.weights[size_t(o) * 9 * layer.inputs + i]);
    linear.add_bias(o, layer.biases[o]);
  }
  return linear;
}

HalfPlanes applied(const HalfPlanes& in, const Layer& layer, bool last, int threads) {
  HalfPlanes out(layer.outputs, in.width, in.height);
  const Linear linear = linear_of(layer, last);
  parallel_parts(in.height, threads, [&](int begin, int end) {
    const int16_t* from[9 * kMaxLayerInputs + 1];
    int16_t* to[kMaxLayerOutputs];
    for (int y = begin; y < end; ++y) {
      for (int i = 0; i < 9 * in.count; ++i)
        from[i] = in.row(i / 9, std::clamp(y + i % 9 / 3 - 1, 0, in.height - 1)) + i % 3 - 1;
      from[9 * in.count] = from[0];  // the pair of an odd last input, with weight 0
      for (int o = 0; o < out.count; ++o) to[o] = out.row(o, y);
      row_kernels().linear(linear.plan(), from, to, in.width);
      for (int o = 0; o < out.count; ++o) out.extend(o, y);
    }
  });
  return out;
}

// Whether the largest sum of an output, whatever its inputs, fits 32 bits.
bool fits(const Layer& layer, int output) {
  int64_t sum = std::abs(int64_t{layer.biases[output]}) + rounding(layer.shift);
  for (int i = 0; i < 9 * layer.inputs; ++i)
    sum += 32768 * std::abs(int64_t{layer.weights[size_t(output) * 9 * layer.inputs + i]});
  return sum <= INT32_MAX;
}

}  // namespace

void check_layers(const std::vector<Layer>& layers, int planes) {
  const auto require = [](bool holds) {
    if (!holds) throw Error(ErrorKind::argument, "restore: these are not layers of one network");
  };
  require(!layers.empty() && layers.back().outputs % 4 == 0);
  int inputs = 4 * planes + 1;
  for (const Layer& layer : layers) {
    require(layer.inputs == inputs && inputs <= kMaxLayerInputs);
    require(layer.outputs >= 1 && layer.outputs <= kMaxLayerOutputs && layer.shift >= 0 && layer.shift <= 30);
    require(layer.weights.size() == size_t(9) * layer.inputs * layer.outputs);
    require(layer.biases.size() == size_t(layer.outputs));
    for (int o = 0; o < layer.outputs; ++o) require(fits(layer, o));
    inputs = layer.outputs;
  }
}

std::vector<int16_t> restore(const int16_t* planes, int count, int width, int height, int level,
                             const std::vector<Layer>& layers, int threads) {
  check_layers(layers, count);
  HalfPlanes state = quartered(planes, count, width, height, level, threads);
  for (const Layer& layer : layers) state = applied(state, layer, &layer == &layers.back(), threads);
  const int outputs = state.count / 4;
  std::vector<int16_t> out(size_t(outputs) * height * width);
  parallel_parts(height, threads, [&](int begin, int end) {
    for (int y = begin; y < end; ++y)
      for (int p = 0; p < outputs; ++p) {
        const int16_t* halves[2] = {state.row(4 * p + 2 * (y % 2), y / 2), state.row(4 * p + 2 * (y % 2) + 1, y / 2)};
        int16_t* to = out.data() + (size_t(p) * height + y) * width;
        for (int x = 0; x < width; ++x) to[x] = halves[x % 2][x / 2];
      }
  });
  return out;
}

}  // namespace wyner::side
