// Binding of the fusion of a decoded picture with warped side pictures.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/vector.h>

#include <array>
#include <vector>

#include "bindings/convert.h"
#include "side/field.h"
#include "side/fusion.h"

namespace nb = nanobind;
using namespace nb::literals;
using namespace wyner::side;

namespace {

template <class Sample>
using Samples = nb::ndarray<const Sample, nb::ndim<3>, nb::c_contig, nb::device::cpu>;
using Mask = nb::ndarray<const uint8_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Filters = nb::ndarray<const int16_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Levels = std::array<std::vector<int>, kFeatures>;

void require(bool holds, const char* message) {
  if (!holds) throw wyner::Error(wyner::ErrorKind::argument, message);
}

std::vector<int16_t> coefficients(const Filters& filters, int taps) {
  require(filters.shape(1) == size_t(taps), "filters must be (classes, 76) and (classes, 28)");
  return {filters.data(), filters.data() + filters.size()};
}

template <class Sample>
Picture picture_of(const Samples<Sample>& x) {
  const size_t height = x.shape(0), width = x.shape(1), channels = x.shape(2);
  require(width > 0 && height > 0 && width <= kMaxSide && height <= kMaxSide, "the size is out of range");
  require(channels == 1 || channels == 3, "pixels must have 1 or 3 channels");
  return {x.data(), int(width), int(height), int(channels), sizeof(Sample) == 1 ? 255 : 65535};
}

template <class Sample>
int64_t detail_of(const Samples<Sample>& x) {
  return total_detail(picture_of<Sample>(x));
}

template <class Sample>
nb::object fuse_pixels(const Samples<Sample>& x, const std::array<Samples<Sample>, kViews>& warped,
                       const std::array<Mask, kViews>& valid, Levels levels, const Filters& luma,
                       const Filters& chroma, int threads) {
  const size_t height = x.shape(0), width = x.shape(1), channels = x.shape(2);
  const Picture picture = picture_of<Sample>(x);
  require(threads >= 1, "threads must be at least 1");
  std::array<View, kViews> views;
  for (int v = 0; v < kViews; ++v) {
    require(warped[v].shape(0) == height && warped[v].shape(1) == width && warped[v].shape(2) == channels &&
                valid[v].shape(0) == height && valid[v].shape(1) == width,
            "a warped picture has not the size of the picture");
    views[v] = {warped[v].data(), valid[v].data()};
  }
  const Fusion fusion(std::move(levels), coefficients(luma, fusion_taps(kLumaReach)),
                      coefficients(chroma, fusion_taps(kChromaReach)));
  std::vector<Sample> out(height * width * channels);
  {
    nb::gil_scoped_release release;
    fuse(picture, views, fusion, threads, out.data());
  }
  return nb::cast(to_array(std::move(out), {height, width, channels}));
}

}  // namespace

void bind_fusion(nb::module_& m) {
  m.def("side_detail", &detail_of<uint8_t>, "x"_a,
        "The sum of absolute luma differences between neighbours of x, (H, W, C) uint8 or uint16\n"
        "(docs/spec/refine.md, section 6). Raises ValueError.");
  m.def("side_detail", &detail_of<uint16_t>, "x"_a);
  m.def("side_fuse", &fuse_pixels<uint8_t>, "x"_a, "warped"_a, "valid"_a, "levels"_a, "luma"_a, "chroma"_a,
        "threads"_a = 1,
        "Fuse the picture x, (H, W, C) uint8 or uint16, with two warped pictures like it, valid where their\n"
        "masks (H, W) uint8 are not 0. levels: four lists of ascending thresholds; luma (classes, 76) and\n"
        "chroma (classes, 28): int16 filters in 1/4096 (docs/spec/refine.md). Returns a picture like x.\n"
        "Raises ValueError.");
  m.def("side_fuse", &fuse_pixels<uint16_t>, "x"_a, "warped"_a, "valid"_a, "levels"_a, "luma"_a, "chroma"_a,
        "threads"_a = 1);
}
