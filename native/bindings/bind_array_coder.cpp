// Coding of arrays, behind wyner.coder.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include "bindings/convert.h"
#include "coder/array_coder.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

template <class T, int kDims>
using Array = nb::ndarray<const T, nb::ndim<kDims>, nb::c_contig, nb::device::cpu>;
using Symbols = Array<int32_t, 1>;

// The models, each with the arrays that its pointers point into.
struct Tables {
  Array<uint32_t, 2> rows;
  Array<int32_t, 1> index;
  wyner::TableModel model;
};

struct Parametric {
  Array<int32_t, 1> location;
  Array<uint8_t, 1> scale;
  wyner::ParametricModel model;
};

struct Mixture {
  Array<int32_t, 2> weight, location;
  Array<uint8_t, 2> scale;
  wyner::MixtureModel model;
};

void make_tables(Tables* at, Array<uint32_t, 2> rows, Array<int32_t, 1> index) {
  wyner::require(rows.shape(1) >= 2, "a table must have 1..65536 symbols");
  new (at) Tables{rows, index,
                  {rows.data(), rows.shape(0), rows.shape(1) - 1, index.data(), index.shape(0)}};
}

void make_parametric(Parametric* at, int kind, Array<int32_t, 1> location, Array<uint8_t, 1> scale,
                     int32_t low, int32_t high) {
  wyner::require(kind >= 0 && kind <= 2, "there are three kinds of distributions");
  wyner::require(location.shape(0) == scale.shape(0), "location and scale must have one shape");
  new (at) Parametric{location, scale,
                      {wyner::Kind(kind), location.data(), scale.data(), location.shape(0), {low, high}}};
}

void make_mixture(Mixture* at, Array<int32_t, 2> weight, Array<int32_t, 2> location, Array<uint8_t, 2> scale,
                  int32_t low, int32_t high) {
  const size_t count = weight.shape(0), components = weight.shape(1);
  for (const auto& [rows, columns] : {std::pair(location.shape(0), location.shape(1)),
                                      std::pair(scale.shape(0), scale.shape(1))})
    wyner::require(rows == count && columns == components, "weight, location and scale must have one shape");
  new (at) Mixture{weight, location, scale,
                   {weight.data(), location.data(), scale.data(), count, components, {low, high}}};
}

template <class Owner>
void check_count(const Owner& owner, const Symbols& symbols) {
  wyner::require(symbols.shape(0) == owner.model.count(), "there must be one symbol for each distribution");
}

template <class Owner>
nb::bytes encode(const Owner& owner, Symbols symbols, int streams, int threads) {
  check_count(owner, symbols);
  std::vector<uint8_t> data;
  {
    nb::gil_scoped_release release;
    data = wyner::encode_array(owner.model, symbols.data(), streams, threads);
  }
  return nb::bytes(data.data(), data.size());
}

template <class Owner>
nb::object decode(const Owner& owner, nb::bytes data, int threads) {
  const size_t count = owner.model.count();
  std::vector<int32_t> symbols(count);
  {
    nb::gil_scoped_release release;
    wyner::decode_array(owner.model, static_cast<const uint8_t*>(data.data()), data.size(), threads,
                        symbols.data());
  }
  return nb::cast(to_array(std::move(symbols), {count}));
}

template <class Owner>
double bits(const Owner& owner, Symbols symbols) {
  check_count(owner, symbols);
  nb::gil_scoped_release release;
  return wyner::array_bits(owner.model, symbols.data());
}

template <class Owner>
nb::class_<Owner> bind_model(nb::module_& m, const char* name, const char* doc) {
  return nb::class_<Owner>(m, name, doc)
      .def("encode", encode<Owner>, "symbols"_a, "streams"_a, "threads"_a,
           "Code int32 symbols (n,). Raises ValueError for a symbol outside its distribution.")
      .def("decode", decode<Owner>, "data"_a, "threads"_a, "The int32 symbols (n,). Raises CorruptError.")
      .def("bits", bits<Owner>, "symbols"_a, "Ideal code length of the symbols, in bits.");
}

}  // namespace

void bind_array_coder(nb::module_& m) {
  bind_model<Tables>(m, "CoderTables", "Distributions given by rows of cumulative counts out of 65536.")
      .def("__init__", make_tables, "rows"_a, "index"_a);
  bind_model<Parametric>(m, "CoderParametric", "Logistic (0), Laplace (1) or Gaussian (2) distributions.")
      .def("__init__", make_parametric, "kind"_a, "location"_a, "scale"_a, "low"_a, "high"_a);
  bind_model<Mixture>(m, "CoderMixture", "Mixtures of 1..5 logistic distributions.")
      .def("__init__", make_mixture, "weight"_a, "location"_a, "scale"_a, "low"_a, "high"_a);
}
