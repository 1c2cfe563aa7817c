// Rows of latents and of their gradients, every other column by itself, so that the same latent of neighbouring 2x2
// quads is one vector. Phase 2*r + c of a quad is its latent of row r and column c.
#pragma once

#include "kernels/fit_split.h"

namespace {

constexpr int kPhases = 4;

// Where context c of a latent of some phase lies: row against the quad's first, parity of the column, and how many
// quads further.
struct Neighbour {
  int row, parity, shift;
};
constexpr Neighbour neighbour_of(int phase, int c) {
  const int column = (phase & 1) + wyner::kOffsets[c][1];
  return {(phase >> 1) + wyner::kOffsets[c][0], column & 1, column >> 1};
}

// Gradients that one block of quads asks of its latents and their neighbours; with room for shifts, all zero.
template <int S>
struct QuadGradients {
  static constexpr int kRow = wyner::kBlock + 2 * wyner::kPad;
  alignas(64) float data[kPhases * (S + 1) * kRow] = {};

  static constexpr int offset(int phase, int c) { return (phase * (S + 1) + c) * kRow + wyner::kPad; }
  float* neighbour(int phase, int c) { return data + offset(phase, c); }
  float* own(int phase) { return data + offset(phase, S); }
};

// For each row, from kPadRows above a quad on, and each parity: what of QuadGradients it is the sum of. Sources that
// are shifted left come first, those that are shifted right last.
template <int S>
struct QuadSources {
  static constexpr int kRows = wyner::kPadRows + 2;
  struct List {
    int count = 0, left = 0, right = 0;  // sources, those shifted left, and those not shifted right
    short at[4 * (S + 1)] = {};          // shift applied
  };
  List lists[kRows][2];

  constexpr QuadSources() {
    for (int sign = -1; sign <= 1; ++sign) {
      for (int phase = 0; phase < kPhases; ++phase)
        for (int c = 0; c <= S; ++c) {
          const Neighbour n = c < S ? neighbour_of(phase, c) : Neighbour{phase >> 1, phase & 1, 0};
          if ((n.shift > 0) - (n.shift < 0) != sign) continue;
          List& list = lists[wyner::kPadRows + n.row][n.parity];
          list.at[list.count++] = short(QuadGradients<S>::offset(phase, c) - n.shift);
        }
      for (auto& row : lists)
        for (List& list : row) (sign < 0 ? list.left : list.right) = sign > 0 ? list.right : list.count;
    }
  }
};

class QuadRows {
 public:
  static int floats(int w) { return (kColumnsBeside * kRows + 4 * kRows) * half_floats(w); }

  QuadRows(float* scratch, int w)
      : half_(half_floats(w)), latents_(scratch), gradients_{scratch + kColumnsBeside * kRows * half_, kRows, 1, half_} {}

  // The latents of a phase of the quads of rows y and y + 1, and their neighbours of context c.
  const float* latents(int y, int phase) const { return column(y + (phase >> 1), phase & 1); }
  const float* neighbour(int y, int phase, int c) const {
    return column(y + (phase >> 1) + wyner::kOffsets[c][0], (phase & 1) + wyner::kOffsets[c][1]);
  }

  // Takes row y of the latents in; nothing is asked of it yet.
  void read(const wyner::ArmTask& t, int y) {
    for (int c = -kFarthest; c <= kFarthest; ++c) {
      const float* src = t.q + long(y) * t.stride + c;
      float* dst = column(y, c);
      int x = 0;
      for (; 2 * x < t.w; x += kLanes) store(dst + x, even_lanes(load(src + 2 * x), load(src + 2 * x + kLanes)));
      for (; x < half_ - 2 * wyner::kPad; x += kLanes) store(dst + x, V{});
    }
    std::memset(gradients_.at(y, 0) - wyner::kPad, 0, sizeof(float) * 2 * half_);
  }

  // Adds what the quads from column 2 x0 on of rows y and y + 1 ask.
  template <int S>
  void add(int y, int x0, const QuadSources<S>& sources, const QuadGradients<S>& from) {
    for (int r = 0; r < QuadSources<S>::kRows; ++r)
      for (int parity = 0; parity < 2; ++parity) {
        float* dst = gradients_.at(y - wyner::kPadRows + r, 0) + parity * half_ + x0;
        const auto& list = sources.lists[r][parity];
        auto add_vector = [&](int v, int begin, int end) {
          V s = load(dst + v);
          for (int i = begin; i < end; ++i) s += load(from.data + list.at[i] + v);
          store(dst + v, s);
        };
        add_vector(-kLanes, 0, list.left);
        for (int v = 0; v < wyner::kBlock; v += kLanes) add_vector(v, 0, list.count);
        add_vector(wyner::kBlock, list.right, list.count);
      }
  }

  // Hands out the gradient of row y: to the strip's own, or to its halo.
  void write(const wyner::ArmTask& t, int y) const {
    if (y < 0) return;
    float* out = y < t.row0 ? t.halo + (y - t.row0 + wyner::kPadRows) * t.stride : t.gq + long(y) * t.stride;
    merge_row(gradients_.at(y, 0), gradients_.at(y, 0) + half_, t.w, out);
  }

 private:
  static constexpr int kRows = 8, kFarthest = 3, kColumnsBeside = 2 * kFarthest + 1;

  // Every other latent of row y, from column c on; copies for each c, so that all are aligned.
  float* column(int y, int c) const {
    return latents_ + ((y & (kRows - 1)) * kColumnsBeside + c + kFarthest) * half_;
  }

  int half_;
  float* latents_;
  Ring gradients_;
};

// Contexts from a side picture of the quads of two rows, split likewise.
template <int E>
class KnownRows {
 public:
  static int floats(int w, int planes) { return planes * 4 * half_floats(w); }

  KnownRows(float* scratch, int w) : half_(half_floats(w)), at_(scratch + wyner::kPad) {
    std::memset(scratch, 0, sizeof(float) * floats(w, E));
  }

  void read(const wyner::ArmTask& t, int y) {
    for (int c = 0; c < E; ++c)
      for (int r = 0; r < 2; ++r) {
        const int row = clampi(y + r, 0, t.h - 1);  // below the last row nothing has a gradient
        float* dst = at_ + (4 * c + 2 * r) * half_;
        split_row(t.side[c] + long(row) * t.stride, t.w, dst, dst + half_);
      }
  }
  const float* context(int phase, int c) const { return at_ + (4 * c + phase) * half_; }

 private:
  int half_;
  float* at_;
};

}  // namespace
