#include "overfit/wavefront.h"

#include "kernels/linear.h"

namespace wyner::overfit {

namespace {

void pack_rows(const int32_t* weights, int rows, int columns, int32_t* out) {
  for (int i = 0; i < rows * columns; i += 2) *out++ = pack_pair(weights[i], weights[i + 1]);
}

void shift_biases(const int32_t* bias, int count, int left, int round, int32_t* out) {
  for (int i = 0; i < count; ++i) out[i] = bias[i] * (1 << left) + rounding(round);
}

}  // namespace

ArmPlan make_arm_plan(const Network& net) {
  const Header& h = net.header;
  const Model& m = net.model;
  ArmPlan plan{};
  plan.shift1 = h.k[kGroupW1], plan.shift2 = h.k[kGroupW2];
  plan.shift_mu = h.k[kGroupWo] + h.fa - 6;
  plan.shift_scale = h.k[kGroupWo] + h.fa - 4;
  pack_rows(net.tensor(kArmW1), m.N, net.contexts(), plan.w1);
  pack_rows(net.tensor(kArmW2), m.N, m.N, plan.w2);
  pack_rows(net.tensor(kArmWo), 2, m.N, plan.wo);
  pack_rows(net.tensor(kArmWl), 2, net.contexts(), plan.wl);
  const int base = h.fa - h.k[kGroupArmBias];
  shift_biases(net.tensor(kArmB1), m.N, h.k[kGroupW1] + base, plan.shift1, plan.b1);
  shift_biases(net.tensor(kArmB2), m.N, h.k[kGroupW2] + base, plan.shift2, plan.b2);
  const int32_t* bo = net.tensor(kArmBo);
  shift_biases(bo, 1, h.k[kGroupWo] + base, plan.shift_mu, plan.bo);
  shift_biases(bo + 1, 1, h.k[kGroupWo] + base, plan.shift_scale, plan.bo + 1);
  return plan;
}

ArmFunction* find_arm(const Network& net) {
  // To the kernel, side contexts are further features.
  ArmFunction* arm = arm_kernels().find(net.model.S, net.model.F + net.extras.arm, net.model.N);
  if (!arm) throw Error(ErrorKind::unsupported, "no entropy model of this size");
  return arm;
}

BandWindow::BandWindow(const Network& net, const SideInputs& side, int grid, const std::vector<Plane>& latents)
    : fa_(net.header.fa),
      pairs_(net.model.F / 2),
      stride_((pairs_ + net.extras.arm / 2) * kArmLanes),
      source_(net, grid, latents),
      side_(side),
      grid_(grid),
      width_(latents[grid].width),
      maps_(size_t(kArmLanes / 2) * pairs_ * source_.width()),
      features_(size_t(kSteps) * stride_) {}

void BandWindow::start(const Plane& q, int r0, int rows) {
  r0_ = r0;
  rows_ = rows;
  for (int y = 0; 2 * y < rows; ++y)
    source_.row(r0 / 2 + y, maps_.data() + size_t(y) * pairs_ * source_.width());
  std::memset(lines_, 0, sizeof lines_);
  // advance(0) takes the history from the end of the stretch before it.
  fill_above(q, -kArmHistory, 0, -kSteps);
}

void BandWindow::advance(const Plane& q, int t0) {
  int16_t* fresh = lines_ + kArmHistory * kArmLine;
  std::memcpy(lines_, lines_ + kSteps * kArmLine, kArmHistory * kArmLine * sizeof(int16_t));
  std::memset(fresh, 0, kSteps * kArmLine * sizeof(int16_t));
  fill_above(q, t0, t0 + kSteps, t0);
  fill_features(t0);
  fill_side(t0);
}

// The three rows above the band, for steps begin..end-1 of the stretch that begins at t0.
void BandWindow::fill_above(const Plane& q, int begin, int end, int t0) {
  for (int d = 1; d <= 3 && d <= r0_; ++d) {
    const int16_t* row = q.row(r0_ - d);
    const int last = std::min(end, width_ - 3 * d);
    for (int t = std::max(begin, -3 * d); t < last; ++t)
      line(t - t0)[kArmAbove - d] = scaled_latent(row[t + 3 * d], fa_);
  }
}

void BandWindow::fill_features(int t0) {
  for (int p = 0; p < pairs_; ++p)
    for (int r = 0; r < rows_; ++r) {
      const int32_t* map = maps_.data() + size_t((r / 2) * pairs_ + p) * source_.width();
      int32_t* out = features_.data() + p * kArmLanes + r;
      const int last = std::min(t0 + kSteps, width_ + 3 * r);
      for (int t = std::max(t0, 3 * r); t < last; ++t) out[(t - t0) * stride_] = map[(t - 3 * r) >> 1];
    }
}

void BandWindow::fill_side(int t0) {
  for (int p = 0; p < side_.extras.arm / 2; ++p)
    for (int r = 0; r < rows_; ++r) {
      const int16_t* first = side_.contexts[grid_][2 * p].row(r0_ + r);
      const int16_t* second = side_.contexts[grid_][2 * p + 1].row(r0_ + r);
      int32_t* out = features_.data() + (pairs_ + p) * kArmLanes + r;
      const int last = std::min(t0 + kSteps, width_ + 3 * r);
      for (int t = std::max(t0, 3 * r); t < last; ++t)
        out[(t - t0) * stride_] = pack_pair(to_bits(first[t - 3 * r], side_.context_bits, fa_),
                                            to_bits(second[t - 3 * r], side_.context_bits, fa_));
    }
}

}  // namespace wyner::overfit
