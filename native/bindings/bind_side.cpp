// Bindings of alignment with a side picture.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <algorithm>
#include <vector>

#include "bindings/convert.h"
#include "side/estimate.h"
#include "side/field_coder.h"
#include "side/soft_match.h"
#include "side/warp.h"

namespace nb = nanobind;
using namespace nb::literals;
using wyner::require;
using namespace wyner::side;

namespace {

using Pixels = nb::ndarray<nb::ro, nb::ndim<3>, nb::c_contig, nb::device::cpu>;
using Vectors = nb::ndarray<const int16_t, nb::shape<-1, -1, 2>, nb::c_contig, nb::device::cpu>;
using Mask = nb::ndarray<const uint8_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

constexpr size_t kMaxSamples = size_t{1} << 31;

void check_size(int64_t width, int64_t height) {
  require(width > 0 && height > 0, "the picture is empty");
  if (width > kMaxSide || height > kMaxSide || uint64_t(height) > kMaxSamples / uint64_t(width))
    throw wyner::Error(wyner::ErrorKind::limit, "the picture is too large");
}

Picture make_picture(const Pixels& pixels) {
  check_size(int64_t(pixels.shape(1)), int64_t(pixels.shape(0)));
  require(pixels.shape(2) == 1 || pixels.shape(2) == 3, "pixels must have 1 or 3 channels");
  const bool deep = pixels.dtype() == nb::dtype<uint16_t>();
  require(deep || pixels.dtype() == nb::dtype<uint8_t>(), "pixels must be uint8 or uint16");
  return {pixels.data(), int(pixels.shape(1)), int(pixels.shape(0)), int(pixels.shape(2)),
          deep ? 65535 : 255};
}

Field make_field(int block_size, const Vectors& vectors, const Mask& valid, int64_t width, int64_t height) {
  check_size(width, height);
  Field field(block_size, int(width), int(height));
  require(vectors.shape(0) == size_t(field.rows) && vectors.shape(1) == size_t(field.columns) &&
              valid.shape(0) == vectors.shape(0) && valid.shape(1) == vectors.shape(1),
          "the field has not as many blocks as the picture");
  for (size_t i = 0; i < field.vectors.size(); ++i) {
    const Vector v{vectors.data()[2 * i], vectors.data()[2 * i + 1]};
    require(valid.data()[i] <= 1, "validity must be 0 or 1");
    require(std::abs(v.x) <= kMaxVector && std::abs(v.y) <= kMaxVector, "a vector is out of range");
    field.vectors[i] = v;
    field.valid[i] = valid.data()[i];
  }
  return field;
}

nb::tuple to_tuple(const Field& field) {
  std::vector<int16_t> components;
  components.reserve(2 * field.vectors.size());
  for (const Vector v : field.vectors) components.insert(components.end(), {v.x, v.y});
  const size_t rows = size_t(field.rows), columns = size_t(field.columns);
  return nb::make_tuple(field.block, to_array(std::move(components), {rows, columns, 2}),
                        to_array(field.valid, {rows, columns}));
}

nb::tuple estimate_field(const Pixels& x, const Pixels& y, int block_size, double noise, double use) {
  const Picture picture = make_picture(x), side = make_picture(y);
  require(noise > 0 && use > 0 && use <= 1, "noise must be positive, use in 0..1");
  const Field field = [&] {
    nb::gil_scoped_release release;
    return estimate(picture, side, block_size, {float(noise), float(use)});
  }();
  return to_tuple(field);
}

nb::bytes encode(int block_size, const Vectors& vectors, const Mask& valid, int64_t width, int64_t height) {
  const std::vector<uint8_t> data = encode_field(make_field(block_size, vectors, valid, width, height));
  return nb::bytes(data.data(), data.size());
}

nb::tuple decode(const nb::bytes& data, int64_t width, int64_t height) {
  check_size(width, height);
  return to_tuple(
      decode_field(static_cast<const uint8_t*>(data.data()), data.size(), int(width), int(height)));
}

template <class Sample>
nb::tuple warp_as(const Picture& side, const Field& field, int width, int height, int channels, int threads) {
  const size_t pixels = size_t(width) * height;
  std::vector<Sample> warped(pixels * channels);
  std::vector<uint8_t> valid(pixels);
  {
    nb::gil_scoped_release release;
    warp(side, field, width, height, channels, sizeof(Sample) == 1 ? 255 : 65535, threads, warped.data(),
         valid.data());
  }
  return nb::make_tuple(to_array(std::move(warped), {size_t(height), size_t(width), size_t(channels)}),
                        to_array(std::move(valid), {size_t(height), size_t(width)}));
}

nb::tuple warp_pixels(const Pixels& y, int block_size, const Vectors& vectors, const Mask& valid,
                      int64_t width, int64_t height, int channels, uint32_t maxval, int threads) {
  const Picture side = make_picture(y);
  const Field field = make_field(block_size, vectors, valid, width, height);
  require(channels == 1 || channels == 3, "channels must be 1 or 3");
  require(maxval == 255 || maxval == 65535, "maxval must be 255 or 65535");
  require(threads >= 1, "threads must be at least 1");
  return maxval == 255 ? warp_as<uint8_t>(side, field, int(width), int(height), channels, threads)
                       : warp_as<uint16_t>(side, field, int(width), int(height), channels, threads);
}

nb::object soft_planes(const Pixels& x, const Pixels& y, int low, int high, int vertical, int cell, int blur,
                       int temperature, int threads) {
  const Picture picture = make_picture(x), side = make_picture(y);
  require(threads >= 1, "threads must be at least 1");
  std::vector<int16_t> planes;
  {
    nb::gil_scoped_release release;
    planes = soft_match(picture, side, {low, high, vertical, cell, blur, temperature}, threads);
  }
  return nb::cast(to_array(std::move(planes), {x.shape(2) + 2, x.shape(0), x.shape(1)}));
}

}  // namespace

void bind_side(nb::module_& m) {
  m.def("side_estimate", &estimate_field, "x"_a, "y"_a, "block_size"_a, "noise"_a, "use"_a,
        "The field (block_size, vectors, valid) that relates x to its side picture y, both C-contiguous\n"
        "(H, W, C), uint8 or uint16. block_size: 8, 16 or 32, or 0 for the best of them; noise: mean square\n"
        "error, in 8-bit steps, that coding will leave, > 0; use: share that coding will save of the bits that\n"
        "a prediction could save, > 0, at most 1. Raises ValueError or LimitError.");
  m.def("side_encode_field", &encode, "block_size"_a, "vectors"_a, "valid"_a, "width"_a, "height"_a,
        "Code the field of a picture of width x height: vectors (rows, columns, 2) int16 in quarter pixels,\n"
        "-4095..4095, x first; valid (rows, columns) uint8, 0 or 1 (docs/spec/side.md, section 1).\n"
        "Raises ValueError or LimitError.");
  m.def("side_decode_field", &decode, "data"_a, "width"_a, "height"_a,
        "Decode to (block_size, vectors, valid). Raises CorruptError, LimitError or ValueError.");
  m.def("side_warp", &warp_pixels, "y"_a, "block_size"_a, "vectors"_a, "valid"_a, "width"_a, "height"_a,
        "channels"_a, "maxval"_a, "threads"_a = 1,
        "Warp the side picture y, (H, W, C) uint8 or uint16, by a field: (warped (height, width, channels),\n"
        "valid (height, width) uint8). warped is uint8 for maxval 255, uint16 for 65535\n"
        "(docs/spec/side.md, sections 2 to 4). Raises ValueError or LimitError.");
  m.def("side_soft_match", &soft_planes, "x"_a, "y"_a, "low"_a, "high"_a, "vertical"_a, "cell"_a, "blur"_a,
        "temperature"_a, "threads"_a = 1,
        "What y, (H, W, C) uint8 or uint16, is expected to show where the decoded picture x is: int16 planes\n"
        "(C + 2, H, W), C that of x, of docs/spec/refine.md, section 4. low..high: horizontal displacements, in\n"
        "pixels; vertical: the one of all. Raises ValueError or LimitError.");
}
