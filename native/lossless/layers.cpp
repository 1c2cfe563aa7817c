#include "lossless/layers.h"

#include <algorithm>

#include "kernels/lossless_tables.h"

namespace wyner::lossless {

void Sums::begin(const Layer& layer, int level) {
  const std::vector<int32_t>& bias = layer.bias(level);
  for (size_t o = 0; o < bias.size(); ++o) std::fill_n(sums_ + o * kSegment, kSegment, bias[o]);
}

void Sums::add(const Layer& layer, const int16_t* const* inputs, int64_t row_stride) {
  lossless_kernels().conv(layer.plan(), inputs, row_stride, sums_);
}

namespace {

// One layer of a double convolution. added: null, or the field of the sum.
Field normed_conv(const Layer& layer, std::initializer_list<const Field*> sources, const Field* added,
                  ThreadPool& pool) {
  const Field& like = **sources.begin();
  Field out(layer.outputs, like.width(), like.height());
  for_rows(pool, out.height(), [&](int y) {
    for (int x = 0; x < out.width(); x += kSegment) {
      Sums sums(layer);
      sums.add(layer, Segment(sources, y, x).data(), like.row_stride());
      const Segment before = added ? Segment({added}, y, x) : Segment();
      lossless_kernels().norm_relu(sums.data(), layer.outputs, added ? before.data() : nullptr,
                                   Target(out, y, x).data());
    }
    out.end_row(y);
  });
  return out;
}

constexpr int kTokens = kWindow * kWindow;
constexpr int kQkvLimit = 2047;
static_assert(kTokens <= kMaxKeys);

// One head's numbers in the rows of a window that lie on the grid: q and k (token, depth), v (depth, token).
struct Window {
  int tokens;
  int16_t q[kTokens * kMaxWidth], k[kTokens * kMaxWidth], v[kTokens * kMaxWidth], out[kTokens * kMaxWidth];
  int16_t usable[kTokens];
};

int16_t channel_at(const Field& field, int channel, int y, int x) {
  return int16_t(std::clamp<int>(field.at(channel / 2, y, x)[channel % 2], -kQkvLimit, kQkvLimit));
}

void gather(const Field& qkv, int head, int depth, int top, int left, Window& w) {
  const int channels = depth * kAttentionHeads;
  w.tokens = std::min(kWindow, qkv.height() - top) * kWindow;
  for (int t = 0; t < w.tokens; ++t) {
    const int y = top + t / kWindow, x = left + t % kWindow;
    const bool inside = x < qkv.width();
    w.usable[t] = inside ? -1 : 0;
    for (int d = 0; d < depth; ++d) {
      const int c = head * depth + d;
      w.q[t * depth + d] = inside ? channel_at(qkv, c, y, x) : int16_t(0);
      w.k[t * depth + d] = inside ? channel_at(qkv, channels + c, y, x) : int16_t(0);
      w.v[d * w.tokens + t] = inside ? channel_at(qkv, 2 * channels + c, y, x) : int16_t(0);
    }
  }
}

void attend_window(const Field& qkv, int depth, int top, int left, Field& mixed) {
  static thread_local Window window;
  for (int head = 0; head < kAttentionHeads; ++head) {
    gather(qkv, head, depth, top, left, window);
    lossless_kernels().attend(window.q, window.k, window.v, window.usable, window.tokens, window.tokens, depth,
                              window.out);
    for (int t = 0; t < window.tokens; ++t) {
      const int y = top + t / kWindow, x = left + t % kWindow;
      if (!window.usable[t]) continue;
      for (int d = 0; d < depth; ++d) {
        const int c = head * depth + d;
        mixed.at(c / 2, y, x)[c % 2] = window.out[t * depth + d];
      }
    }
  }
}

}  // namespace

Field double_conv(const DoubleConv& block, std::initializer_list<const Field*> sources, ThreadPool& pool) {
  const Field between = normed_conv(block.first, sources, nullptr, pool);
  const bool residual = block.first.inputs == block.second.outputs;
  return normed_conv(block.second, {&between}, residual ? *sources.begin() : nullptr, pool);
}

Field max_pool(const Field& in, ThreadPool& pool) {
  Field out(2 * in.pairs(), in.width() / 2, in.height() / 2);
  for_rows(pool, out.height(), [&](int y) {
    for (int p = 0; p < in.pairs(); ++p) {
      const int16_t *upper = in.at(p, 2 * y, 0), *lower = in.at(p, 2 * y + 1, 0);
      int16_t* to = out.at(p, y, 0);
      for (int x = 0; x < out.width(); ++x)
        for (int i = 0; i < 2; ++i)
          to[2 * x + i] = std::max({upper[4 * x + i], upper[4 * x + 2 + i], lower[4 * x + i], lower[4 * x + 2 + i]});
    }
  });
  return out;
}

Field spread(const Layer& layer, const Field& in, ThreadPool& pool) {
  const int channels = layer.outputs / 4, pairs = channels / 2;
  Field out(channels, 2 * in.width(), 2 * in.height());
  for_rows(pool, in.height(), [&](int y) {
    alignas(64) int16_t made[2 * kMaxWidth][2 * kSegment];
    int16_t* rows[2 * kMaxWidth];
    for (int i = 0; i < 2 * kMaxWidth; ++i) rows[i] = made[i];
    for (int x = 0; x < in.width(); x += kSegment) {
      Sums sums(layer);
      sums.add(layer, Segment({&in}, y, x).data(), in.row_stride());
      lossless_kernels().limit(sums.data(), layer.outputs, 0, rows);
      const int count = std::min(kSegment, in.width() - x);
      for (int quarter = 0; quarter < 4; ++quarter)
        for (int p = 0; p < pairs; ++p) {
          int16_t* to = out.at(p, 2 * y + quarter / 2, 2 * x + quarter % 2);
          const int16_t* from = made[quarter * pairs + p];
          for (int k = 0; k < count; ++k) to[4 * k] = from[2 * k], to[4 * k + 1] = from[2 * k + 1];
        }
    }
  });
  return out;
}

Field attention(const Layer& to_qkv, const Layer& out_layer, const Field& in, ThreadPool& pool) {
  Field qkv(to_qkv.outputs, in.width(), in.height()), mixed(out_layer.inputs, in.width(), in.height());
  for_rows(pool, in.height(), [&](int y) {
    for (int x = 0; x < in.width(); x += kSegment) {
      Sums sums(to_qkv);
      sums.add(to_qkv, Segment({&in}, y, x).data(), in.row_stride());
      lossless_kernels().limit(sums.data(), to_qkv.outputs, -kValueLimit, Target(qkv, y, x).data());
    }
  });
  const int across = (in.width() + kWindow - 1) / kWindow, down = (in.height() + kWindow - 1) / kWindow;
  pool.run(across * down, [&](int i, int) {
    attend_window(qkv, out_layer.inputs / kAttentionHeads, i / across * kWindow, i % across * kWindow, mixed);
  });
  Field out(out_layer.outputs, in.width(), in.height());
  for_rows(pool, in.height(), [&](int y) {
    for (int x = 0; x < in.width(); x += kSegment) {
      Sums sums(out_layer);
      sums.add(out_layer, Segment({&mixed}, y, x).data(), in.row_stride());
      const Target target(out, y, x);
      lossless_kernels().limit(sums.data(), out_layer.outputs, -kValueLimit, target.data());
      for (int p = 0; p < in.pairs(); ++p) {
        const int16_t* before = in.at(p, y, x);
        int16_t* to = target.data()[p];
        for (int i = 0; i < 2 * kSegment; ++i) to[i] = int16_t(std::clamp(to[i] + before[i], 0, kValueLimit));
      }
    }
    out.end_row(y);
  });
  return out;
}

}  // namespace wyner::lossless
