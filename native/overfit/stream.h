// The walk through a payload that decoder, encoder and bit counter share (spec, sections 4 to 7).
#pragma once

#include <algorithm>
#include <array>
#include <vector>

#include "coder/symbol_coder.h"
#include "overfit/network.h"
#include "overfit/plane.h"
#include "overfit/wavefront.h"

namespace wyner::overfit {

template <class Coder>
constexpr ErrorKind error_kind() {
  return Coder::kDecodes ? ErrorKind::corrupt : ErrorKind::argument;
}

// Given the header to write; returns the header coded.
template <class Coder>
Header code_header(Coder& coder, const Header& given) {
  Header h;
  h.model = int(coder.bits(8, given.model));
  const Model& m = model(h.model);
  h.grids = int(coder.bits(4, given.grids));
  h.fa = int(coder.bits(4, given.fa));
  h.fu = int(coder.bits(4, given.fu));
  for (int g = 0; g < kGroups; ++g) {
    h.k[g] = m.kdef[g] + coder.symbol(0, 72, given.k[g] - m.kdef[g]);
    h.s[g] = coder.symbol(0, 88, given.s[g]);
  }
  check_header(h, error_kind<Coder>());
  return h;
}

template <class Coder>
void code_params(Coder& coder, Network& net) {
  size_t i = 0;
  for (const Slot& slot : net.slots()) {
    int32_t& value = net.params[i++];
    if (slot.absent) continue;
    const ParameterPrior prior = parameter_prior(net, slot);
    value = prior.mean + coder.symbol(0, prior.scale, value - prior.mean);
  }
  check_params(net, error_kind<Coder>());
}

// The networks of a picture of a set, which begin from those of the set (shared.md, section 3). net: decoding, a copy
// of `base`.
template <class Coder>
void code_own_networks(Coder& coder, const Network& base, Network& net) {
  Header& h = net.header;
  const std::vector<Slot> slots = net.slots();
  h.fa = int(coder.bits(4, h.fa));
  h.fu = int(coder.bits(4, h.fu));
  std::array<bool, kGroups> changed{};
  for (size_t i = 0; i < slots.size(); ++i) changed[slots[i].group] |= net.params[i] != base.params[i];
  for (int g = 0; g < kGroups; ++g) {
    const int kept = base.header.k[g];
    changed[g] = coder.bits(1, changed[g] || h.k[g] != kept);
    if (!changed[g]) continue;
    h.k[g] = kept + coder.symbol(0, 72, h.k[g] - kept);
    h.s[g] = coder.symbol(0, 88, h.s[g]);
  }
  check_header(h, error_kind<Coder>());
  for (size_t i = 0; i < slots.size(); ++i) {
    const int g = slots[i].group;
    if (slots[i].absent || !changed[g]) continue;
    const ParameterPrior prior = own_prior(base.params[i], base.header.k[g], h.k[g], h.s[g]);
    net.params[i] = prior.mean + coder.symbol(0, prior.scale, net.params[i] - prior.mean);
  }
  check_params(net, error_kind<Coder>());
}

// Calls done(i) after grid i.
template <class Coder, class Done>
void code_latents(Coder& coder, const Network& net, const SideInputs& side, std::vector<Plane>& latents, Done done) {
  const ArmPlan plan = make_arm_plan(net);
  ArmFunction* arm = find_arm(net);
  for (int i = net.header.grids - 1; i >= 0; --i) {
    bool coded = false;
    if constexpr (!Coder::kDecodes)
      coded = std::any_of(latents[i].data.begin(), latents[i].data.end(), [](int q) { return q != 0; });
    if (coder.bits(1, coded)) code_grid(coder, net, side, plan, arm, i, latents);
    done(i);
  }
}

}  // namespace wyner::overfit
