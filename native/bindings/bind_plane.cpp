// Bindings of the lossless plane coder.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "base/error.h"
#include "plane/plane.h"

namespace nb = nanobind;

namespace {

constexpr size_t kMaxSamples = size_t{1} << 31;

template <class Sample>
using Plane = nb::ndarray<const Sample, nb::shape<-1, -1>, nb::c_contig, nb::device::cpu>;

template <class Sample>
nb::bytes encode(const Plane<Sample>& plane, uint32_t maxval) {
  const size_t height = plane.shape(0), width = plane.shape(1);
  std::vector<uint8_t> data;
  {
    nb::gil_scoped_release release;
    const std::vector<uint16_t> samples(plane.data(), plane.data() + height * width);
    data = wyner::plane_encode(samples.data(), width, height, maxval);
  }
  return nb::bytes(data.data(), data.size());
}

template <class Sample>
nb::object decode(const nb::bytes& data, size_t width, size_t height, uint32_t maxval) {
  const size_t count = width * height;
  auto samples = std::make_unique<Sample[]>(count);
  {
    nb::gil_scoped_release release;
    std::vector<uint16_t> wide(count);
    wyner::plane_decode(static_cast<const uint8_t*>(data.data()), data.size(), width, height, maxval,
                        wide.data());
    std::copy(wide.begin(), wide.end(), samples.get());
  }
  nb::capsule owner(samples.get(), [](void* p) noexcept { delete[] static_cast<Sample*>(p); });
  Sample* pixels = samples.release();
  return nb::cast(nb::ndarray<nb::numpy, Sample>(pixels, {height, width}, owner));
}

nb::object plane_decode(const nb::bytes& data, size_t width, size_t height, uint32_t maxval) {
  if (maxval != 255 && maxval != 65535)
    throw wyner::Error(wyner::ErrorKind::argument, "maxval must be 255 or 65535");
  if (width == 0 || height == 0) throw wyner::Error(wyner::ErrorKind::argument, "the plane is empty");
  if (height > kMaxSamples / width) throw wyner::Error(wyner::ErrorKind::limit, "the plane is too large");
  return maxval == 255 ? decode<uint8_t>(data, width, height, maxval)
                       : decode<uint16_t>(data, width, height, maxval);
}

}  // namespace

void bind_plane(nb::module_& m) {
  m.def("plane_encode", [](const Plane<uint8_t>& plane) { return encode(plane, 255); },
        nb::arg("plane").noconvert(),
        "Code a C-contiguous plane, shape (H, W), uint8 or uint16, without loss (docs/spec/plane.md).\n"
        "Raises ValueError if it is empty.");
  m.def("plane_encode", [](const Plane<uint16_t>& plane) { return encode(plane, 65535); },
        nb::arg("plane").noconvert());
  m.def("plane_decode", &plane_decode, nb::arg("data"), nb::arg("width"), nb::arg("height"),
        nb::arg("maxval"),
        "Decode a plane to shape (height, width): uint8 for maxval 255, uint16 for 65535\n"
        "(docs/spec/plane.md). Raises CorruptError, LimitError past 2^31 samples, or ValueError.");
}
