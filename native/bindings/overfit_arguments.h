// What the bindings of the overfit codec have in common: its arguments from Python, and what it returns.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "bindings/convert.h"
#include "overfit/codec.h"

namespace overfit_arguments {

namespace nb = nanobind;
using namespace wyner::overfit;

using IntVector = nb::ndarray<const int32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using IntPlane = nb::ndarray<const int32_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

inline void require(bool holds, const std::string& message) {
  if (!holds) throw wyner::Error(wyner::ErrorKind::argument, message);
}

inline Picture make_picture(int width, int height, int channels = 1, int maxval = 255) {
  const Picture picture{width, height, channels, maxval};
  check_picture(picture);
  return picture;
}

inline const uint8_t* bytes_data(const nb::bytes& data) { return reinterpret_cast<const uint8_t*>(data.c_str()); }

inline void copy_groups(const std::vector<int>& from, std::array<int, kGroups>& to, const char* name) {
  require(from.size() == kGroups, std::string(name) + " must have 12 entries");
  std::copy(from.begin(), from.end(), to.begin());
}

inline Network make_network(const Header& header, const IntVector& params, const SideInputs& side) {
  require(header.model >= 0 && header.model < model_count(), "no such model");
  check_header(header, wyner::ErrorKind::argument);
  Network net(header, side.extras);
  require(params.shape(0) == net.params.size(),
          "params must have " + std::to_string(net.params.size()) + " entries");
  std::copy_n(params.data(), net.params.size(), net.params.begin());
  return net;
}

// Latents from Python, clamped to 16 bits: values past that stay out of the valid range.
inline std::vector<Plane> make_latents(const std::vector<IntPlane>& arrays, int width, int height) {
  require(!arrays.empty() && arrays.size() <= kMaxGrids, "there must be 1 to 9 latent grids");
  std::vector<Plane> planes = make_grids(width, height, int(arrays.size()));
  for (size_t i = 0; i < planes.size(); ++i) {
    Plane& plane = planes[i];
    require(int(arrays[i].shape(0)) == plane.height && int(arrays[i].shape(1)) == plane.width,
            "latent grid " + std::to_string(i) + " must be " + std::to_string(plane.height) + " x " +
                std::to_string(plane.width));
    std::transform(arrays[i].data(), arrays[i].data() + plane.size(), plane.data.begin(),
                   [](int32_t q) { return int16_t(std::clamp(q, -32768, 32767)); });
  }
  return planes;
}

template <class Sample>
nb::object render_samples(const Network& net, std::vector<Plane>&& latents, const Picture& p, int threads,
                          const SideInputs& side) {
  const size_t height = p.height, width = p.width, channels = p.channels;
  std::unique_ptr<Sample[]> samples;
  {
    nb::gil_scoped_release release;
    samples = std::make_unique_for_overwrite<Sample[]>(height * width * channels);
    render(net, std::move(latents), p, threads, samples.get(), side);
  }
  Sample* pixels = samples.get();
  nb::capsule owner(pixels, [](void* q) noexcept { delete[] static_cast<Sample*>(q); });
  samples.release();
  return nb::cast(nb::ndarray<nb::numpy, Sample>(pixels, {height, width, channels}, owner));
}

inline nb::object render_any(const Network& net, std::vector<Plane>&& latents, const Picture& p, int threads,
                      const SideInputs& side) {
  require(threads >= 1, "threads must be at least 1");
  return p.maxval == 255 ? render_samples<uint8_t>(net, std::move(latents), p, threads, side)
                         : render_samples<uint16_t>(net, std::move(latents), p, threads, side);
}

inline nb::list latent_arrays(const std::vector<Plane>& latents) {
  nb::list arrays;
  for (const Plane& plane : latents) {
    std::vector<int32_t> values(plane.data.begin(), plane.data.begin() + plane.size());
    arrays.append(to_array(std::move(values), {size_t(plane.height), size_t(plane.width)}));
  }
  return arrays;
}

inline nb::list to_list(const std::array<int, kGroups>& values) {
  nb::list list;
  for (int v : values) list.append(v);
  return list;
}

}  // namespace overfit_arguments
