#include "overfit/model.h"

#include <algorithm>
#include <iterator>

#include "base/error.h"

namespace wyner::overfit {

namespace {

#include "overfit/models.inc"

constexpr bool sizes_fit() {
  for (const Model& m : kModels)
    if (m.A() > kMaxInputs || m.N > kMaxArm || m.M > kMaxHidden || m.F > kMaxFeatures) return false;
  return true;
}
static_assert(sizes_fit(), "a model is larger than the fixed buffers of the decoder");

enum class Axis { none, grid, stage };

// Per sample that each puts out: a prefilter (7 taps, two ways), the 3x3 blur of features, an x2 filter (4 taps
// down half of the columns, 4 along all rows).
constexpr int kPrefilterMacs = 14, kBlurMacs = 9, kDoublingMacs = 6;

// A tensor as (rows, slices, columns), where there is one slice per grid, per upsampling stage, or one.
// Every row ends with the weights of `extra` inputs from a side picture.
struct Shape {
  int group, rows;
  Axis axis;
  int columns, extra = 0;

  int slices(int grids) const { return axis == Axis::grid ? grids : axis == Axis::stage ? grids - 1 : 1; }
  int size(int grids) const { return rows * (slices(grids) * columns + extra); }
};

Shape shape(const Model& m, int tensor, Extras extras) {
  switch (tensor) {
    case kArmW1: return {kGroupW1, m.N, Axis::none, m.A(), extras.arm};
    case kArmB1: return {kGroupArmBias, m.N, Axis::none, 1};
    case kArmW2: return {kGroupW2, m.N, Axis::none, m.N};
    case kArmB2: return {kGroupArmBias, m.N, Axis::none, 1};
    case kArmWo: return {kGroupWo, 2, Axis::none, m.N};
    case kArmWl: return {kGroupWo, 2, Axis::none, m.A(), extras.arm};
    case kArmBo: return {kGroupArmBias, 2, Axis::none, 1};
    case kIfcW: return {kGroupIfc, 1, Axis::grid, m.F * 6};
    case kIfcB: return {kGroupIfc, 1, Axis::grid, m.F};
    case kUpT: return {kGroupUp, 1, Axis::stage, 4};
    case kPreT: return {kGroupPre, 1, Axis::grid, 4};
    case kSynW1: return {kGroupSynW1, m.M, Axis::grid, 1, extras.syn};
    case kSynB1: return {kGroupSynBias, m.M, Axis::none, 1};
    case kSynW2: return {kGroupSynW2, 3, Axis::none, m.M};
    case kSynWl: return {kGroupSynW2, 3, Axis::grid, 1, extras.syn};
    case kSynB2: return {kGroupSynBias, 3, Axis::none, 1};
    case kSynC1:
    case kSynC2: return {kGroupConv, 3, Axis::none, 27};
    default: return {kGroupConvBias, 3, Axis::none, 1};
  }
}

// Prior of the weight of extra input i in one row (side.md, section 7). The synthesis begins with the picture being
// the side picture: its first three planes are Y, Co and Cg.
Slot extra_slot(const Shape& s, int tensor, int row, int i) {
  constexpr int kOne = 1 << kMeanBits;
  const bool passes = tensor == kSynWl && i == row;
  const int scale = tensor == kArmW1 ? 168 : tensor == kArmWl ? 152 : tensor == kSynW1 ? 160 : 168;
  return {passes ? kOne : 0, int16_t(scale), int8_t(s.group), false};
}

}  // namespace

int model_count() { return int(std::size(kModels)); }

const Model& model(int index) {
  if (index < 0 || index >= model_count())
    throw Error(ErrorKind::unsupported, "overfit model " + std::to_string(index) + " is unknown");
  return kModels[index];
}

double macs_per_pixel(const Model& m, Extras extras) {
  const int G = m.grids, A = m.A() + extras.arm, U = G + extras.syn;
  const int arm = A * m.N + m.N * m.N + 2 * (m.N + A);
  double sum = m.M * U + 3 * (m.M + U) + 2 * 81;
  double area = 1;  // of grid i, per pixel: powers of two, so that the sum is exact in any order
  for (int i = 0; i < G; ++i, area /= 4) {
    sum += area * (arm + kPrefilterMacs);
    sum += area / 4 * (6 * m.F + kBlurMacs);
    sum += area * kDoublingMacs * (G - 1 - i);
  }
  return sum;
}

Layout::Layout(const Model& model, int grids, Extras extras) {
  offset[0] = 0;
  for (int t = 0; t < kTensors; ++t) offset[t + 1] = offset[t] + shape(model, t, extras).size(grids);
}

std::vector<Slot> parameter_slots(const Model& model, int grids, Extras extras) {
  const Layout prior(model, model.grids);
  std::vector<Slot> slots;
  for (int t = 0; t < kTensors; ++t) {
    const Shape s = shape(model, t, extras);
    const int trained = s.slices(model.grids);
    for (int row = 0; row < s.rows; ++row) {
      for (int i = 0; i < s.slices(grids); ++i)
        for (int c = 0; c < s.columns; ++c) {
          const int from = prior.offset[t] + (row * trained + std::min(i, trained - 1)) * s.columns + c;
          const bool absent = t == kIfcW && i + 1 + (c % 6) / 2 >= grids;
          slots.push_back({model.mean[from], model.scale[from], int8_t(s.group), absent});
        }
      for (int i = 0; i < s.extra; ++i) slots.push_back(extra_slot(s, t, row, i));
    }
  }
  return slots;
}

}  // namespace wyner::overfit
