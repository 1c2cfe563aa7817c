#include "overfit/network.h"

#include <algorithm>
#include <cstdlib>
#include <string>

#include "coder/laplace.h"

namespace wyner::overfit {

namespace {

void require(bool holds, ErrorKind kind, const char* what) {
  if (!holds) throw Error(kind, std::string("overfit: ") + what);
}

int64_t sum_abs(const int32_t* w, int count) {
  int64_t sum = 0;
  for (int i = 0; i < count; ++i) sum += std::abs(w[i]);
  return sum;
}

// The largest accumulator of an output row stays inside 32 bits: inputs reach 2^15, and 2^20 leaves room
// for every rounding term.
void require_row(int64_t weights, int32_t bias, int shift, ErrorKind kind, const char* what) {
  const int64_t offset = int64_t{std::abs(bias)} << shift;
  require((weights << 15) + offset + (1 << 20) < int64_t{1} << 31, kind, what);
}

}  // namespace

void check_header(const Header& h, ErrorKind kind) {
  require(h.grids >= 1 && h.grids <= kMaxGrids, kind, "the grid count is not in 1..9");
  require(h.fa >= 4 && h.fa <= 11, kind, "fa is not in 4..11");
  require(h.fu >= 2 && h.fu <= 11, kind, "fu is not in 2..11");
  for (int g = 0; g < kGroups; ++g) {
    require(h.k[g] >= 0 && h.k[g] <= 13, kind, "a weight precision is not in 0..13");
    require(h.s[g] >= -64 && h.s[g] <= 64, kind, "a prior scale step is not in -64..64");
  }
}

void check_params(const Network& net, ErrorKind kind) {
  const std::vector<Slot> slots = net.slots();
  for (size_t i = 0; i < slots.size(); ++i) {
    require(net.params[i] >= -kMaxSymbol && net.params[i] <= kMaxSymbol, kind,
            "a parameter is not in -32767..32767");
    require(!slots[i].absent || net.params[i] == 0, kind, "an absent parameter is not zero");
  }
}

void check_arm_bounds(const Network& net, ErrorKind kind) {
  const Header& h = net.header;
  const Model& m = net.model;
  const int A = net.contexts(), N = m.N;
  const int shift1 = h.k[0] + h.fa - h.k[3], shift2 = h.k[1] + h.fa - h.k[3];
  const int shift_out = h.k[2] + h.fa - h.k[3];
  require(shift1 >= 0 && shift2 >= 0 && shift_out >= 0, kind, "ARM biases are finer than products");
  require(h.k[2] + h.fa >= 6, kind, "the ARM output is too coarse");
  for (int o = 0; o < N; ++o) {
    require_row(sum_abs(net.tensor(kArmW1) + o * A, A), net.tensor(kArmB1)[o], shift1, kind,
                "arm.w1 may overflow");
    require_row(sum_abs(net.tensor(kArmW2) + o * N, N), net.tensor(kArmB2)[o], shift2, kind,
                "arm.w2 may overflow");
  }
  for (int o = 0; o < 2; ++o)
    require_row(sum_abs(net.tensor(kArmWo) + o * N, N) + sum_abs(net.tensor(kArmWl) + o * A, A),
                net.tensor(kArmBo)[o], shift_out, kind, "arm.wo and arm.wl may overflow");
  for (int row = 0; row < h.grids * m.F; ++row)
    require_row(sum_abs(net.tensor(kIfcW) + row * 6, 6), net.tensor(kIfcB)[row], h.fa, kind,
                "ifc may overflow");
}

void check_render_bounds(const Network& net, ErrorKind kind) {
  const Header& h = net.header;
  const int G = h.grids, U = net.planes(), M = net.model.M;
  const int shift1 = h.k[7] + h.fu - h.k[9], shift2 = h.k[8] + h.fu - h.k[9];
  const int shift_conv = h.k[10] + 10 - h.k[11];
  require(shift1 >= 0 && shift2 >= 0 && shift_conv >= 0, kind,
          "synthesis biases are finer than products");
  require(h.k[8] + h.fu >= 10, kind, "the synthesis output is too coarse");
  for (int i = 0; i < G - 1; ++i)
    require_row(sum_abs(net.tensor(kUpT) + i * 4, 4), 0, 0, kind, "up may overflow");
  for (int i = 0; i < G; ++i) {
    const int32_t* d = net.tensor(kPreT) + i * 4;
    require_row(std::abs(d[0]) + 2 * sum_abs(d + 1, 3), 0, 0, kind, "pre may overflow");
  }
  for (int o = 0; o < M; ++o)
    require_row(sum_abs(net.tensor(kSynW1) + o * U, U), net.tensor(kSynB1)[o], shift1, kind,
                "syn.w1 may overflow");
  for (int o = 0; o < 3; ++o) {
    require_row(sum_abs(net.tensor(kSynW2) + o * M, M) + sum_abs(net.tensor(kSynWl) + o * U, U),
                net.tensor(kSynB2)[o], shift2, kind, "syn.w2 and syn.wl may overflow");
    require_row(sum_abs(net.tensor(kSynC1) + o * 27, 27), net.tensor(kSynD1)[o], shift_conv, kind,
                "syn.c1 may overflow");
    require_row(sum_abs(net.tensor(kSynC2) + o * 27, 27), net.tensor(kSynD2)[o], shift_conv, kind,
                "syn.c2 may overflow");
  }
}

ParameterPrior parameter_prior(const Network& net, const Slot& slot) {
  const Header& h = net.header;
  const int k = h.k[slot.group], s = h.s[slot.group];
  const int scale = 80 + slot.scale - 16 * kMeanBits + 16 * k + 4 * s;
  return {rshift(slot.mean, kMeanBits - k), std::clamp(scale, 0, kMaxScale)};
}

ParameterPrior own_prior(int32_t base, int from, int k, int s) {
  constexpr int kEighth = 32;  // scale index of b = 1/8: most parameters stay as they are
  const int32_t mean = k >= from ? base * (1 << (k - from)) : rshift(base, from - k);
  return {mean, std::clamp(kEighth + 16 * (k - from) + 4 * s, 0, kMaxScale)};
}

}  // namespace wyner::overfit
