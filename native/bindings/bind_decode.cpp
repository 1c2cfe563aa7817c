// Decoding, encoding and bit counting of overfit payloads.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/vector.h>

#include <algorithm>

#include "bindings/convert.h"
#include "bindings/overfit_arguments.h"
#include "bindings/side_argument.h"
#include "overfit/codec.h"

namespace nb = nanobind;
using namespace nb::literals;
using namespace wyner::overfit;
using namespace overfit_arguments;

namespace {

// The arguments that encoding and counting have in common.
struct Source {
  Network net;
  std::vector<Plane> latents;
  const SideInputs& side;
};

Source make_source(int width, int height, int model, int fa, int fu, const std::vector<int>& k,
                   const std::vector<int>& s, const IntVector& params, const std::vector<IntPlane>& latents,
                   const SideInputs* given) {
  make_picture(width, height);
  Header header{model, int(latents.size()), fa, fu};
  copy_groups(k, header.k, "k");
  copy_groups(s, header.s, "s");
  std::vector<Plane> planes = make_latents(latents, width, height);
  const SideInputs& side = side_of(given, width, height);
  return {make_network(header, params, side), std::move(planes), side};
}

nb::object overfit_decode(nb::bytes payload, int width, int height, int channels, int maxval, int threads,
                          const SideInputs* given) {
  const Picture picture = make_picture(width, height, channels, maxval);
  const SideInputs& side = side_of(given, width, height);
  Decoded decoded = [&] {
    nb::gil_scoped_release release;
    return decode_payload(bytes_data(payload), payload.size(), width, height, side);
  }();
  return render_any(decoded.network, std::move(decoded.latents), picture, threads, side);
}

nb::dict overfit_inspect(nb::bytes payload, int width, int height, const SideInputs* given) {
  make_picture(width, height);
  const SideInputs& side = side_of(given, width, height);
  Bits bits;
  Decoded decoded = [&] {
    nb::gil_scoped_release release;
    Decoded d = decode_payload(bytes_data(payload), payload.size(), width, height, side);
    bits = count_bits(d.network, d.latents, side);
    return d;
  }();
  const Header& h = decoded.network.header;
  nb::list grid_bytes;
  for (double b : bits.grids) grid_bytes.append(b / 8);
  nb::dict out;
  out["model"] = h.model;
  out["grids"] = h.grids;
  out["fa"] = h.fa;
  out["fu"] = h.fu;
  out["k"] = to_list(h.k);
  out["s"] = to_list(h.s);
  out["params"] = to_array(decoded.network.params, {decoded.network.params.size()});
  out["latents"] = latent_arrays(decoded.latents);
  out["network_bytes"] = bits.network / 8;
  out["grid_bytes"] = grid_bytes;
  return out;
}

nb::bytes overfit_encode(int width, int height, int model, int fa, int fu, std::vector<int> k,
                         std::vector<int> s, IntVector params, std::vector<IntPlane> latents,
                         const SideInputs* side) {
  const Source source = make_source(width, height, model, fa, fu, k, s, params, latents, side);
  const std::vector<uint8_t> payload = [&] {
    nb::gil_scoped_release release;
    return encode_payload(source.net, source.latents, source.side);
  }();
  return nb::bytes(payload.data(), payload.size());
}

nb::tuple overfit_bits(int width, int height, int model, int fa, int fu, std::vector<int> k,
                       std::vector<int> s, IntVector params, std::vector<IntPlane> latents,
                       const SideInputs* side) {
  const Source source = make_source(width, height, model, fa, fu, k, s, params, latents, side);
  const Bits bits = [&] {
    nb::gil_scoped_release release;
    return count_bits(source.net, source.latents, source.side);
  }();
  return nb::make_tuple(bits.network, bits.grids);
}

nb::object overfit_render(int width, int height, int channels, int maxval, int fu, int model,
                          std::vector<int> k, IntVector params, std::vector<IntPlane> latents,
                          int threads, const SideInputs* given) {
  const Picture picture = make_picture(width, height, channels, maxval);
  Header header{model, int(latents.size()), 4, fu};
  copy_groups(k, header.k, "k");
  std::vector<Plane> planes = make_latents(latents, width, height);
  const SideInputs& side = side_of(given, width, height);
  const Network net = make_network(header, params, side);
  check_params(net, wyner::ErrorKind::argument);
  check_render_bounds(net, wyner::ErrorKind::argument);
  return render_any(net, std::move(planes), picture, threads, side);
}

// Priors of all parameters for some grids and extra inputs, in stream order.
nb::tuple overfit_priors(int index, int grids, int arm, int syn) {
  require(grids >= 1 && grids <= kMaxGrids, "grids must be in 1..9");
  require((arm == 0 || arm == kSideContexts) && (syn == 0 || syn == kSidePlanes), "no such extra inputs");
  std::vector<int32_t> mean, scale;
  for (const Slot& slot : parameter_slots(model(index), grids, {arm, syn})) {
    mean.push_back(slot.mean);
    scale.push_back(slot.scale);
  }
  const size_t size = mean.size();
  return nb::make_tuple(to_array(std::move(mean), {size}), to_array(std::move(scale), {size}));
}

nb::list overfit_models() {
  nb::list models;
  for (int i = 0; i < model_count(); ++i) {
    const Model& m = model(i);
    nb::dict d;
    d["S"] = m.S;
    d["F"] = m.F;
    d["N"] = m.N;
    d["M"] = m.M;
    d["grids"] = m.grids;
    d["kdef"] = std::vector<int>(m.kdef, m.kdef + kGroups);
    d["mean"] = to_array(std::vector<int32_t>(m.mean, m.mean + m.size), {size_t(m.size)});
    d["scale"] = to_array(std::vector<int32_t>(m.scale, m.scale + m.size), {size_t(m.size)});
    models.append(d);
  }
  return models;
}

}  // namespace

void bind_decode(nb::module_& m) {
  m.def("overfit_decode", overfit_decode, "payload"_a, "width"_a, "height"_a, "channels"_a, "maxval"_a,
        "threads"_a = 1, "side"_a = nb::none(),
        "Decode a payload to an (height, width, channels) array, uint8 if maxval is 255 and uint16 if\n"
        "65535. The result does not depend on `threads`. side: the SideInputs it was made with, if any. Raises\n"
        "CorruptError or UnsupportedError.");
  m.def("overfit_inspect", overfit_inspect, "payload"_a, "width"_a, "height"_a, "side"_a = nb::none(),
        "The integers in a payload: model, grids, fa, fu, k and s (12 each), params (int32, in the order\n"
        "of the specification, absent ones zero), latents (int32 (rows, columns), finest grid first), and\n"
        "the ideal sizes network_bytes and grid_bytes. Raises CorruptError or UnsupportedError.");
  m.def("overfit_encode", overfit_encode, "width"_a, "height"_a, "model"_a, "fa"_a, "fu"_a, "k"_a, "s"_a,
        "params"_a, "latents"_a, "side"_a = nb::none(),
        "Write a payload from the integers that overfit_inspect returns. Raises ValueError for anything\n"
        "that a decoder would reject.");
  m.def("overfit_bits", overfit_bits, "width"_a, "height"_a, "model"_a, "fa"_a, "fu"_a, "k"_a, "s"_a,
        "params"_a, "latents"_a, "side"_a = nb::none(),
        "Ideal code length in bits of what overfit_encode would write: (header and parameters, [per grid,\n"
        "finest first]). Raises like overfit_encode.");
  m.def("overfit_render", overfit_render, "width"_a, "height"_a, "channels"_a, "maxval"_a, "fu"_a,
        "model"_a, "k"_a, "params"_a, "latents"_a, "threads"_a = 1, "side"_a = nb::none(),
        "The picture that latents and parameters stand for, as overfit_decode returns it.");
  m.def("overfit_priors", overfit_priors, "model"_a, "grids"_a, "arm"_a = 0, "syn"_a = 0,
        "Prior (mean, scale) of every parameter, in stream order, with so many contexts and planes of side inputs.");
  m.def("overfit_models", overfit_models,
        "The models: dicts of S, F, N, M, grids, kdef (12), mean (int32, Q14) and scale (int32).");
}
