// Bindings of refinement by a side picture at the decoder (docs/spec/refine.md).
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <tuple>
#include <vector>

#include "bindings/convert.h"
#include "side/restore.h"

namespace nb = nanobind;
using namespace nb::literals;
using wyner::require;
using namespace wyner::side;

namespace {

using Planes = nb::ndarray<const int16_t, nb::ndim<3>, nb::c_contig, nb::device::cpu>;
using Weights = nb::ndarray<const int16_t, nb::ndim<4>, nb::c_contig, nb::device::cpu>;
using Biases = nb::ndarray<const int32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

Layer layer_of(const std::tuple<Weights, Biases, int>& given) {
  const auto& [weights, biases, shift] = given;
  require(weights.shape(2) == 3 && weights.shape(3) == 3, "weights must be (outputs, inputs, 3, 3)");
  require(weights.shape(0) <= kMaxLayerOutputs && weights.shape(1) <= kMaxLayerInputs, "a layer is too large");
  return {int(weights.shape(1)), int(weights.shape(0)), shift,
          {weights.data(), weights.data() + weights.size()}, {biases.data(), biases.data() + biases.size()}};
}

nb::object restored(const Planes& planes, int level, const std::vector<std::tuple<Weights, Biases, int>>& given,
                    int threads) {
  const size_t count = planes.shape(0), height = planes.shape(1), width = planes.shape(2);
  require(count >= 1 && 4 * count < kMaxLayerInputs, "the number of planes is out of range");
  constexpr size_t kMost = size_t{1} << 17;
  require(height >= 1 && width >= 1 && height <= kMost && width <= kMost, "the size is out of range");
  require(level >= -32768 && level <= 32767 && threads >= 1, "level must fit 16 bits, threads be at least 1");
  std::vector<Layer> layers;
  for (const auto& layer : given) layers.push_back(layer_of(layer));
  std::vector<int16_t> out;
  {
    nb::gil_scoped_release release;
    out = restore(planes.data(), int(count), int(width), int(height), level, layers, threads);
  }
  const size_t outputs = out.size() / (height * width);
  return nb::cast(to_array(std::move(out), {outputs, height, width}));
}

}  // namespace

void bind_refine(nb::module_& m) {
  m.def("side_restore", &restored, "planes"_a, "level"_a, "layers"_a, "threads"_a = 1,
        "Run the network of docs/spec/refine.md, section 6, on int16 planes (count, H, W) and a level that all\n"
        "pixels have, -32768..32767. layers: (weights (outputs, inputs, 3, 3) int16, biases (outputs,) int32,\n"
        "shift). Returns int16 (outputs / 4, H, W). Raises ValueError.");
}
