// Decoder of arrays on arbitrary bytes, with arbitrary parameters. What decodes is encoded again and must come
// back. Input: which model, how many symbols, the parameters of each, then the coded data.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <vector>

#include "base/error.h"
#include "coder/array_coder.h"

namespace {

class Input {
 public:
  Input(const uint8_t* data, size_t size) : next_(data), left_(size) {}

  // The next value; zeros after the end.
  template <class T>
  T take() {
    T value = 0;
    const size_t n = left_ < sizeof(T) ? left_ : sizeof(T);
    std::memcpy(&value, next_, n);
    next_ += n, left_ -= n;
    return value;
  }

  const uint8_t* data() const { return next_; }
  size_t size() const { return left_; }

 private:
  const uint8_t* next_;
  size_t left_;
};

template <class Model, class... Arguments>
void check(const Input& input, const Arguments&... arguments) {
  std::optional<Model> model;
  std::vector<int32_t> symbols, again;
  try {
    model.emplace(arguments...);
    symbols.resize(model->count());
    wyner::decode_array(*model, input.data(), input.size(), 1, symbols.data());
  } catch (const wyner::Error&) {
    return;
  }
  // An encoder's output must decode: an Error from here on is a finding.
  const int streams = symbols.size() > 1 ? 2 : 1;
  const std::vector<uint8_t> coded = wyner::encode_array(*model, symbols.data(), streams, 1);
  again.resize(symbols.size());
  wyner::decode_array(*model, coded.data(), coded.size(), 1, again.data());
  if (again != symbols) std::abort();
}

void check_tables(Input& input) {
  std::vector<uint32_t> rows{0};
  for (int symbols = input.take<uint8_t>() % 32; symbols > 0; --symbols)
    rows.push_back(rows.back() + input.take<uint16_t>() % 4096);
  rows.push_back(65536);
  const std::vector<int32_t> index(input.take<uint16_t>() % 512, 0);
  check<wyner::TableModel>(input, rows.data(), size_t{1}, rows.size() - 1, index.data(), index.size());
}

wyner::Alphabet take_alphabet(Input& input) {
  const int32_t low = input.take<int32_t>() % 70000;
  return {low, low + input.take<uint16_t>()};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Input input(data, size);
  const int choice = input.take<uint8_t>() % 9;
  if (choice == 8) {
    check_tables(input);
    return 0;
  }
  const size_t count = input.take<uint8_t>() % 16;
  const wyner::Alphabet alphabet = take_alphabet(input);
  const size_t components = choice < 3 ? 1 : choice - 2;
  std::vector<int32_t> weight, location;
  std::vector<uint8_t> scale;
  for (size_t i = 0; i < count; ++i) {
    int32_t rest = wyner::kWeightSum;
    for (size_t j = 0; j < components; ++j) {
      weight.push_back(j + 1 == components ? rest : input.take<uint16_t>() % (rest + 1));
      rest -= weight.back();
      location.push_back(input.take<int32_t>() >> 5);
      scale.push_back(input.take<uint8_t>());
    }
  }
  if (choice < 3)
    check<wyner::ParametricModel>(input, wyner::Kind(choice), location.data(), scale.data(), count, alphabet);
  else
    check<wyner::MixtureModel>(input, weight.data(), location.data(), scale.data(), count, components, alphabet);
  return 0;
}
