// The model families of the overfit codec and the layout of their parameters (spec, section 5).
#pragma once

#include <cstdint>
#include <vector>

namespace wyner::overfit {

constexpr int kGroups = 12;
constexpr int kMaxGrids = 9;
constexpr int kMeanBits = 14;  // fractional bits of a prior mean

// Largest sizes of any model: what fixed buffers hold.
constexpr int kMaxInputs = 24;  // S + F, without what a side picture adds
constexpr int kMaxArm = 24;     // N
constexpr int kMaxHidden = 32;  // M
constexpr int kMaxFeatures = 6;

struct Model {
  int S, F, N, M;           // neighbours, features, width of the ARM, width of the synthesis
  int grids;                // grid count that the prior was trained for
  int kdef[kGroups];        // default fractional bits of each group
  const int32_t* mean;      // Q14, in parameter order for `grids` grids
  const int16_t* scale;     // 1/16 octaves above 2^-14
  int size;

  constexpr int A() const { return S + F; }
};

// What a side picture adds to the inputs of a model (docs/spec/side.md): contexts of each latent after its features,
// and planes of the synthesis after those of the grids. Ordinary pictures have none.
struct Extras {
  int arm = 0, syn = 0;
};
constexpr int kSideContexts = 4, kSidePlanes = 6;  // of a picture that has them

int model_count();
// Throws Error(unsupported) if there is no such model.
const Model& model(int index);

// Multiply-accumulates per pixel of decoding (spec, section 10; side.md, section 9).
double macs_per_pixel(const Model& model, Extras extras = {});

// The tensors in stream order.
enum Tensor {
  kArmW1, kArmB1, kArmW2, kArmB2, kArmWo, kArmWl, kArmBo,
  kIfcW, kIfcB, kUpT, kPreT,
  kSynW1, kSynB1, kSynW2, kSynWl, kSynB2,
  kSynC1, kSynD1, kSynC2, kSynD2,
  kTensors
};

enum Group {
  kGroupW1, kGroupW2, kGroupWo, kGroupArmBias, kGroupIfc, kGroupUp, kGroupPre,
  kGroupSynW1, kGroupSynW2, kGroupSynBias, kGroupConv, kGroupConvBias
};

// Where each tensor begins in the flat parameter vector of a model with `grids` grids.
struct Layout {
  Layout(const Model& model, int grids, Extras extras = {});
  int offset[kTensors + 1];
  int size() const { return offset[kTensors]; }
};

// One parameter: its prior (mean in Q14, scale in 1/16 octaves above 2^-14) and its group. Absent ones are zero and
// not coded.
struct Slot {
  int32_t mean;
  int16_t scale;
  int8_t group;
  bool absent;
};

std::vector<Slot> parameter_slots(const Model& model, int grids, Extras extras = {});

}  // namespace wyner::overfit
