// The Python extension: argument checks and nothing else. One bind_*.cpp per area.
#include <nanobind/nanobind.h>

#include "bindings/convert.h"
#include "kernels/dispatch.h"

namespace nb = nanobind;

void bind_array_coder(nb::module_& m);
void bind_coder(nb::module_& m);
void bind_container(nb::module_& m);
void bind_decode(nb::module_& m);
void bind_fit(nb::module_& m);
void bind_plane(nb::module_& m);
void bind_set(nb::module_& m);
void bind_side(nb::module_& m);
void bind_side_inputs(nb::module_& m);
void bind_refine(nb::module_& m);
void bind_lossless(nb::module_& m);
void bind_shared(nb::module_& m);
void bind_weights(nb::module_& m);

NB_MODULE(_native, m) {
  m.doc() = "wyner's native core";
  m.def("active_isa", [] { return wyner::isa_name(wyner::active_isa()); },
        "Name of the instruction set the kernels use: 'v2', 'v3', 'v4' or 'base'.");
  register_errors();
  bind_array_coder(m);
  bind_coder(m);
  bind_container(m);
  bind_side_inputs(m);  // before those whose arguments it defines
  bind_decode(m);
  bind_fit(m);
  bind_plane(m);
  bind_set(m);
  bind_side(m);
  bind_refine(m);
  bind_lossless(m);
  bind_shared(m);
  bind_weights(m);
}
