// The header and the parameters of a payload, and the checks that make the decoder's arithmetic safe.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/error.h"
#include "overfit/model.h"

namespace wyner::overfit {

struct Header {
  int model = 0;
  int grids = 1;
  int fa = 8;                        // fractional bits of ARM activations
  int fu = 8;                        // fractional bits of planes
  std::array<int, kGroups> k{};      // fractional bits of the weights of each group
  std::array<int, kGroups> s{};      // step of each group's prior scale
};

struct Network {
  explicit Network(const Header& h, Extras e = {})
      : header(h), extras(e), model(overfit::model(h.model)), layout(model, h.grids, e), params(layout.size()) {}

  const int32_t* tensor(int t) const { return params.data() + layout.offset[t]; }
  std::vector<Slot> slots() const { return parameter_slots(model, header.grids, extras); }
  int contexts() const { return model.A() + extras.arm; }  // inputs of the ARM
  int planes() const { return header.grids + extras.syn; }  // inputs of the synthesis

  Header header;
  Extras extras;
  const Model& model;
  Layout layout;
  std::vector<int32_t> params;
};

// Each throws Error(kind) if a field or a bound (spec, sections 4 and 6) is violated. Grids, shifts and
// parameters must have been range-checked before the bounds are.
void check_header(const Header& header, ErrorKind kind);
void check_params(const Network& net, ErrorKind kind);         // values, and zeros where absent
void check_arm_bounds(const Network& net, ErrorKind kind);     // ARM and features
void check_render_bounds(const Network& net, ErrorKind kind);  // upsampling and synthesis

// Drops n fractional bits, rounding to nearest.
inline int32_t rshift(int32_t a, int n) { return n == 0 ? a : (a + (1 << (n - 1))) >> n; }

// Mean and scale index of one parameter's distribution.
struct ParameterPrior {
  int32_t mean;
  int32_t scale;
};
ParameterPrior parameter_prior(const Network& net, const Slot& slot);
// Of a parameter of a picture in a set, which has the value `base` of `from` fractional bits in the set's networks.
ParameterPrior own_prior(int32_t base, int from, int k, int s);

}  // namespace wyner::overfit
