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
struct Shape {
  int group, rows;
  Axis axis;
  int columns;

  int slices(int grids) const { return axis == Axis::grid ? grids : axis == Axis::stage ? grids - 1 : 1; }
  int size(int grids) const { return rows * slices(grids) * columns; }
};

Shape shape(const Model& m, int tensor) {
  switch (tensor) {
    case kArmW1: return {kGroupW1, m.N, Axis::none, m.A()};
    case kArmB1: return {kGroupArmBias, m.N, Axis::none, 1};
    case kArmW2: return {kGroupW2, m.N, Axis::none, m.N};
    case kArmB2: return {kGroupArmBias, m.N, Axis::none, 1};
    case kArmWo: return {kGroupWo, 2, Axis::none, m.N};
    case kArmWl: return {kGroupWo, 2, Axis::none, m.A()};
    case kArmBo: return {kGroupArmBias, 2, Axis::none, 1};
    case kIfcW: return {kGroupIfc, 1, Axis::grid, m.F * 6};
    case kIfcB: return {kGroupIfc, 1, Axis::grid, m.F};
    case kUpT: return {kGroupUp, 1, Axis::stage, 4};
    case kPreT: return {kGroupPre, 1, Axis::grid, 4};
    case kSynW1: return {kGroupSynW1, m.M, Axis::grid, 1};
    case kSynB1: return {kGroupSynBias, m.M, Axis::none, 1};
    case kSynW2: return {kGroupSynW2, 3, Axis::none, m.M};
    case kSynWl: return {kGroupSynW2, 3, Axis::grid, 1};
    case kSynB2: return {kGroupSynBias, 3, Axis::none, 1};
    case kSynC1:
    case kSynC2: return {kGroupConv, 3, Axis::none, 27};
    default: return {kGroupConvBias, 3, Axis::none, 1};
  }
}

}  // namespace

int model_count() { return int(std::size(kModels)); }

const Model& model(int index) {
  if (index < 0 || index >= model_count())
    throw Error(ErrorKind::unsupported, "overfit model " + std::to_string(index) + " is unknown");
  return kModels[index];
}

double macs_per_pixel(const Model& m) {
  const int G = m.grids;
  const int arm = m.A() * m.N + m.N * m.N + 2 * (m.N + m.A());
  double sum = m.M * G + 3 * (m.M + G) + 2 * 81;
  double area = 1;  // of grid i, per pixel: powers of two, so that the sum is exact in any order
  for (int i = 0; i < G; ++i, area /= 4) {
    sum += area * (arm + kPrefilterMacs);
    sum += area / 4 * (6 * m.F + kBlurMacs);
    sum += area * kDoublingMacs * (G - 1 - i);
  }
  return sum;
}

Layout::Layout(const Model& model, int grids) {
  offset[0] = 0;
  for (int t = 0; t < kTensors; ++t) offset[t + 1] = offset[t] + shape(model, t).size(grids);
}

std::vector<Slot> parameter_slots(const Model& model, int grids) {
  const Layout prior(model, model.grids);
  std::vector<Slot> slots;
  for (int t = 0; t < kTensors; ++t) {
    const Shape s = shape(model, t);
    const int trained = s.slices(model.grids);
    for (int row = 0; row < s.rows; ++row)
      for (int i = 0; i < s.slices(grids); ++i)
        for (int c = 0; c < s.columns; ++c) {
          const int from = (row * trained + std::min(i, trained - 1)) * s.columns + c;
          const bool absent = t == kIfcW && i + 1 + (c % 6) / 2 >= grids;
          slots.push_back({prior.offset[t] + from, int8_t(s.group), absent});
        }
  }
  return slots;
}

}  // namespace wyner::overfit
