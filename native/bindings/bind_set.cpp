// Bindings of sets of pictures: their fitter, their networks, and the latents of one picture given these.
#include <nanobind/nanobind.h>
#include <nanobind/stl/vector.h>

#include <stdexcept>
#include <vector>

#include "bindings/fit_arguments.h"
#include "bindings/overfit_arguments.h"
#include "overfit/fit_set.h"

namespace nb = nanobind;
using namespace nb::literals;
using namespace fit_arguments;
using wyner::SetFitter;
using overfit_arguments::IntPlane;
using overfit_arguments::IntVector;

namespace {

constexpr size_t kMaxPictures = 65536;

void construct(SetFitter* self, const std::vector<Image>& images, int model, int grids, int threads, uint32_t seed) {
  const auto& m = wyner::overfit::model(model);
  if (images.empty() || images.size() > kMaxPictures) throw std::invalid_argument("there must be 1 to 65536 images");
  check_counts(grids, threads);
  std::vector<SetFitter::Picture> pictures;
  for (const Image& image : images) {
    check_image(image);
    pictures.push_back({image.data(), int(image.shape(0)), int(image.shape(2)), int(image.shape(1))});
  }
  new (self) SetFitter(pictures, {m.S, m.F, m.N, m.M}, grids, threads, seed);
  set_model_prior(*self, m, grids, {});
}

nb::list get_latents(SetFitter& self) {
  nb::list out;
  for (int k = 0; k < self.pictures(); ++k)
    for (int i = 0; i < self.grids(); ++i)
      out.append(float_array({size_t(self.grid_height(k, i)), size_t(self.grid_width(k, i))},
                             [&](float* p) { self.get_latents(k, i, p); }));
  return out;
}

void set_latents(SetFitter& self, const std::vector<Grid>& grids) {
  if (grids.size() != size_t(self.pictures()) * self.grids())
    throw std::invalid_argument("latents: one array per picture and grid");
  const auto place = [&](size_t n) { return std::pair{int(n) / self.grids(), int(n) % self.grids()}; };
  for (size_t n = 0; n < grids.size(); ++n) {
    const auto [k, i] = place(n);
    if (int(grids[n].shape(0)) != self.grid_height(k, i) || int(grids[n].shape(1)) != self.grid_width(k, i))
      throw std::invalid_argument("latents: an array has the wrong shape");
  }
  for (size_t n = 0; n < grids.size(); ++n) {
    const auto [k, i] = place(n);
    self.set_latents(k, i, grids[n].data());
  }
}

nb::dict gradients(SetFitter& self, float lambda) {
  wyner::FitResult r;
  {
    nb::gil_scoped_release release;
    r = self.gradients(lambda);
  }
  nb::dict out;
  out["loss"] = r.mse + lambda * r.bits() / self.pixels();
  out["mse"] = r.mse;
  out["grid_bits"] = r.grid_bits;
  out["params"] = vector_array(self.param_gradient());
  return out;
}

wyner::overfit::Network read_networks(const nb::bytes& networks) {
  return wyner::overfit::decode_networks(overfit_arguments::bytes_data(networks), networks.size());
}

wyner::overfit::Decoded read_member(const nb::bytes& networks, const nb::bytes& payload,
                                    const wyner::overfit::Picture& p) {
  const auto base = read_networks(networks);
  const uint8_t* data = overfit_arguments::bytes_data(payload);
  const size_t size = payload.size();
  nb::gil_scoped_release release;
  return wyner::overfit::decode_member(base, data, size, p.width, p.height);
}

nb::object set_decode(const nb::bytes& networks, const nb::bytes& payload, int width, int height, int channels,
                      int maxval, int threads) {
  const auto picture = overfit_arguments::make_picture(width, height, channels, maxval);
  auto decoded = read_member(networks, payload, picture);
  return overfit_arguments::render_any(decoded.network, std::move(decoded.latents), picture, threads, {});
}

nb::dict network_dict(const wyner::overfit::Network& net) {
  nb::dict out;
  out["model"] = net.header.model;
  out["grids"] = net.header.grids;
  out["fa"] = net.header.fa;
  out["fu"] = net.header.fu;
  out["k"] = overfit_arguments::to_list(net.header.k);
  out["s"] = overfit_arguments::to_list(net.header.s);
  out["params"] = to_array(net.params, {net.params.size()});
  return out;
}

nb::dict set_inspect(const nb::bytes& networks, const nb::bytes& payload, int width, int height) {
  const auto picture = overfit_arguments::make_picture(width, height);
  const auto decoded = read_member(networks, payload, picture);
  nb::dict out = network_dict(decoded.network);
  out["latents"] = overfit_arguments::latent_arrays(decoded.latents);
  return out;
}

nb::dict set_inspect_networks(const nb::bytes& networks) { return network_dict(read_networks(networks)); }

nb::bytes to_bytes(const std::vector<uint8_t>& data) { return nb::bytes(data.data(), data.size()); }

wyner::overfit::Network make_network(int model, int grids, int fa, int fu, const std::vector<int>& k,
                                     const std::vector<int>& s, const IntVector& params) {
  wyner::overfit::Header header{model, grids, fa, fu};
  overfit_arguments::copy_groups(k, header.k, "k");
  overfit_arguments::copy_groups(s, header.s, "s");
  return overfit_arguments::make_network(header, params, {});
}

nb::bytes set_encode_networks(int model, int grids, int fa, int fu, const std::vector<int>& k,
                              const std::vector<int>& s, const IntVector& params) {
  return to_bytes(wyner::overfit::encode_networks(make_network(model, grids, fa, fu, k, s, params)));
}

nb::bytes encode_member(const wyner::overfit::Network& base, const wyner::overfit::Network& net, int width, int height,
                        const std::vector<IntPlane>& latents) {
  overfit_arguments::make_picture(width, height);
  overfit_arguments::require(int(latents.size()) == net.header.grids,
                             "there must be one latent grid for each of the networks");
  const auto planes = overfit_arguments::make_latents(latents, width, height);
  const auto coded = [&] {
    nb::gil_scoped_release release;
    return wyner::overfit::encode_member(base, net, planes);
  }();
  return to_bytes(coded);
}

nb::bytes set_encode_latents(const nb::bytes& networks, int width, int height, const std::vector<IntPlane>& latents) {
  const auto base = read_networks(networks);
  return encode_member(base, base, width, height, latents);
}

nb::bytes set_encode_own(const nb::bytes& networks, int fa, int fu, const std::vector<int>& k, const std::vector<int>& s,
                         const IntVector& params, int width, int height, const std::vector<IntPlane>& latents) {
  const auto base = read_networks(networks);
  const auto net = make_network(base.header.model, base.header.grids, fa, fu, k, s, params);
  return encode_member(base, net, width, height, latents);
}

}  // namespace

void bind_set(nb::module_& m) {
  nb::class_<SetFitter>(m, "SetFitter", "Fits latents of several images and shared networks; see native/overfit/fit_set.h.")
      .def("__init__", &construct, "images"_a, "model"_a, "grids"_a, "threads"_a = 1, "seed"_a = 0,
           "images: float32 (1 or 3, H, W) in [0, 1], each of its own size. As Fitter otherwise.")
      .def("get_params", [](SetFitter& f) { return vector_array(f.params()); }, "float32, order of the specification")
      .def("set_params", &set_params<SetFitter>, "values"_a)
      .def("get_latents", &get_latents, "One float32 (h, w) array per image and grid: all of an image, finest first.")
      .def("set_latents", &set_latents, "grids"_a)
      .def("gradients", &gradients, "lam"_a,
           "Loss and gradients of all images, latents taken as they are: dict(loss, mse, grid_bits, params).")
      .def("run", &run<SetFitter>, "steps"_a, "lr_latents"_a, "lr_params"_a, "temperature"_a, "noise"_a, "lam"_a,
           "hard"_a = false, "weight_rate"_a = 1.0f, "thin"_a = 1,
           "As Fitter.run: means of (mse, latent bits of all images).");
  m.def("set_decode", &set_decode, "networks"_a, "payload"_a, "width"_a, "height"_a, "channels"_a, "maxval"_a,
        "threads"_a = 1, "A picture of a set, as overfit_decode returns it. Raises CorruptError or UnsupportedError.");
  m.def("set_inspect", &set_inspect, "networks"_a, "payload"_a, "width"_a, "height"_a,
        "The integers of a picture: as set_inspect_networks, of its own networks where it has some, and latents, int32,\n"
        "finest first. Raises CorruptError or UnsupportedError.");
  m.def("set_inspect_networks", &set_inspect_networks, "networks"_a,
        "The integers in coded networks: model, grids, fa, fu, k, s, params. Raises CorruptError or UnsupportedError.");
  m.def("set_encode_networks", &set_encode_networks, "model"_a, "grids"_a, "fa"_a, "fu"_a, "k"_a, "s"_a, "params"_a,
        "The coded networks. Raises ValueError for anything that a decoder would reject.");
  m.def("set_encode_latents", &set_encode_latents, "networks"_a, "width"_a, "height"_a, "latents"_a,
        "The payload of a picture under coded networks. Raises ValueError for latents out of range.");
  m.def("set_encode_own", &set_encode_own, "networks"_a, "fa"_a, "fu"_a, "k"_a, "s"_a, "params"_a, "width"_a,
        "height"_a, "latents"_a,
        "The payload of a picture with networks of its own, of the model and the grids of the coded ones. Raises\n"
        "ValueError for anything that a decoder would reject.");
}
