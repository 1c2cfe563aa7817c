// Side inputs of the overfit codec; see native/overfit/side_inputs.h.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/vector.h>

#include <vector>

#include "bindings/convert.h"
#include "overfit/side_inputs.h"

namespace nb = nanobind;
using namespace nb::literals;
using wyner::require;
using namespace wyner::overfit;

namespace {

template <class Sample>
using Samples = nb::ndarray<const Sample, nb::ndim<3>, nb::c_contig, nb::device::cpu>;
using Mask = nb::ndarray<const uint8_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using IntPlane = nb::ndarray<const int32_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

template <class Sample>
SideInputs of_picture(const Samples<Sample>& warped, const Mask& valid, bool planes) {
  require(warped.shape(0) <= kMaxSide && warped.shape(1) <= kMaxSide, "warped is too large");
  const Picture picture{int(warped.shape(1)), int(warped.shape(0)), int(warped.shape(2)),
                        sizeof(Sample) == 1 ? 255 : 65535};
  check_picture(picture);
  require(valid.shape(0) == warped.shape(0) && valid.shape(1) == warped.shape(1), "valid must have the size of warped");
  nb::gil_scoped_release release;
  return side_of_picture(warped.data(), valid.data(), picture, planes);
}

SideInputs of_latents(const std::vector<IntPlane>& latents, int width, int height) {
  check_picture({width, height, 1, 255});
  std::vector<Plane> planes;
  for (const IntPlane& q : latents) {
    require(q.size() > 0 && q.shape(0) <= kMaxSide && q.shape(1) <= kMaxSide, "a grid is empty or too large");
    Plane plane(int(q.shape(1)), int(q.shape(0)));
    for (size_t i = 0; i < plane.size(); ++i) {
      require(q.data()[i] >= -4095 && q.data()[i] <= 4095, "a latent is not in -4095..4095");
      plane.data[i] = int16_t(q.data()[i]);
    }
    planes.push_back(std::move(plane));
  }
  nb::gil_scoped_release release;
  return side_of_latents(planes, width, height);
}

nb::list arrays(const std::vector<Plane>& planes) {
  nb::list out;
  for (const Plane& plane : planes) {
    std::vector<int16_t> values(plane.data.begin(), plane.data.begin() + plane.size());
    out.append(to_array(std::move(values), {size_t(plane.height), size_t(plane.width)}));
  }
  return out;
}

nb::list contexts(const SideInputs& side) {
  nb::list out;
  for (const std::vector<Plane>& grid : side.contexts) out.append(arrays(grid));
  return out;
}

}  // namespace

void bind_side_inputs(nb::module_& m) {
  nb::class_<SideInputs>(m, "SideInputs", "What the codec sees of a side picture (docs/spec/side.md, section 6).")
      .def_static("of_picture", &of_picture<uint8_t>, "warped"_a, "valid"_a, "planes"_a,
                  "warped: uint8 or uint16 (H, W, C), C 1 or 3; valid: uint8 (H, W), not 0 where warped is known.\n"
                  "planes: with inputs of the synthesis, or of the entropy model alone. Raises ValueError.")
      .def_static("of_picture", &of_picture<uint16_t>, "warped"_a, "valid"_a, "planes"_a)
      .def_static("of_latents", &of_latents, "latents"_a, "width"_a, "height"_a,
                  "latents: int32 (h, w) in -4095..4095, finest grid first. width, height: of the picture that is\n"
                  "coded. Raises ValueError.")
      .def_prop_ro("contexts", &contexts, "Of each of 9 grids, finest first: int16 (h, w) arrays.")
      .def_prop_ro("context_bits", [](const SideInputs& s) { return s.context_bits; }, "Their fractional bits.")
      .def_prop_ro("planes", [](const SideInputs& s) { return arrays(s.planes); }, "int16 (H, W) arrays, Q10.")
      .def_prop_ro("extras", [](const SideInputs& s) { return nb::make_tuple(s.extras.arm, s.extras.syn); },
                   "How many contexts and planes there are.");
}
