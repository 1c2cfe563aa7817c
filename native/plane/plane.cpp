#include "plane/plane.h"

#include <memory>
#include <numeric>
#include <utility>

#include "coder/bit_coder.h"
#include "plane/models.h"

namespace wyner {
namespace {

using namespace planes;

enum Mode : uint32_t { kPalette = 0, kMedian = 1, kSelect = 2, kRaw = 3 };

// What precedes the symbols. A symbol is an index into `palette`, or (sample - base) / step, or the sample.
struct Header {
  uint32_t mode = kRaw;
  std::vector<uint16_t> palette;  // ascending
  uint32_t base = 0, step = 1, top = 0;
};

template <class Coder>
void code_header(Coder& coder, Header& h, uint32_t maxval) {
  const int sample_bits = std::bit_width(maxval);
  h.mode = coder.bits(2, h.mode);
  if (h.mode == kPalette) {
    h.palette.resize(coder.bits(4, uint32_t(h.palette.size()) - 1) + 1);
    for (size_t i = 0; i < h.palette.size(); ++i) {
      h.palette[i] = uint16_t(coder.bits(sample_bits, h.palette[i]));
      if (i && h.palette[i] <= h.palette[i - 1]) corrupt("plane: palette not ascending");
    }
  } else if (h.mode != kRaw) {
    h.base = coder.bits(sample_bits, h.base);
    h.step = coder.bits(sample_bits, h.step);
    h.top = coder.bits(sample_bits, h.top);
    if (h.step == 0 || h.top == 0 || h.base + uint64_t{h.step} * h.top > maxval)
      corrupt("plane: bad range of values");
  }
}

template <class Coder, class Model>
void code_symbols(Coder& coder, Model& model, uint16_t* symbols, size_t width, size_t height) {
  Rows rows(width);
  for (size_t y = 0; y < height; ++y) {
    rows.begin_row();
    model.begin_row();
    for (size_t x = 0; x < width; ++x, ++symbols) {
      const int value = Coder::kDecodes ? 0 : *symbols;
      *symbols = model.code(coder, rows.near(x), x, value);
      rows.set(x, *symbols);
    }
    rows.end_row();
  }
}

// Codes all symbols in row order; decoding, fills them in.
template <class Coder>
void code_plane(Coder& coder, const Header& h, uint16_t* symbols, size_t width, size_t height,
                uint32_t maxval) {
  const size_t count = width * height;
  if (h.mode == kRaw) {
    const int sample_bits = std::bit_width(maxval);
    for (size_t i = 0; i < count; ++i)
      symbols[i] = uint16_t(coder.bits(sample_bits, Coder::kDecodes ? 0 : symbols[i]));
  } else if (h.mode != kPalette) {
    // On the heap, as models and rows are tens of kilobytes.
    const auto model = std::make_unique<DifferenceModel>(int(h.top), width, h.mode == kSelect);
    code_symbols(coder, *model, symbols, width, height);
  } else if (h.palette.size() > 1) {
    const auto model = std::make_unique<PaletteModel>(int(h.palette.size()));
    code_symbols(coder, *model, symbols, width, height);
  } else {
    std::fill_n(symbols, count, uint16_t{0});
  }
}

// --- choices of the encoder -----------------------------------------------------------------------

std::vector<uint16_t> distinct_values(const uint16_t* samples, size_t count) {
  std::vector<bool> seen(65536, false);
  for (size_t i = 0; i < count; ++i) seen[samples[i]] = true;
  std::vector<uint16_t> values;
  for (uint32_t v = 0; v < 65536; ++v)
    if (seen[v]) values.push_back(uint16_t(v));
  return values;
}

// The largest step that all values allow: 257 for 8-bit samples scaled to 16, 16 for shifted 12-bit ones.
Header difference_header(Mode mode, const std::vector<uint16_t>& values) {
  Header h;
  h.mode = mode;
  h.base = values.front();
  h.step = 0;
  for (const uint16_t v : values) h.step = std::gcd(h.step, v - h.base);
  h.top = (values.back() - h.base) / h.step;
  return h;
}

std::vector<Header> candidates(const std::vector<uint16_t>& values) {
  std::vector<Header> headers;
  if (values.size() <= kMaxPalette) {
    headers.emplace_back();
    headers.back().mode = kPalette;
    headers.back().palette = values;
  }
  if (values.size() > 2) {
    headers.push_back(difference_header(kMedian, values));
    headers.push_back(difference_header(kSelect, values));
  }
  if (values.size() > kMaxPalette) headers.emplace_back();  // raw: a bound on the size of noise
  return headers;
}

uint16_t to_symbol(const Header& h, uint16_t sample) {
  if (h.mode != kPalette) return uint16_t((sample - h.base) / h.step);
  return uint16_t(std::lower_bound(h.palette.begin(), h.palette.end(), sample) - h.palette.begin());
}

uint16_t to_sample(const Header& h, uint16_t symbol) {
  return h.mode == kPalette ? h.palette[symbol] : uint16_t(h.base + h.step * symbol);
}

std::vector<uint8_t> encode_with(Header& h, const uint16_t* samples, size_t width, size_t height,
                                 uint32_t maxval) {
  std::vector<uint16_t> symbols(width * height);
  for (size_t i = 0; i < symbols.size(); ++i) symbols[i] = to_symbol(h, samples[i]);
  BitEncoder coder;
  code_header(coder, h, maxval);
  code_plane(coder, h, symbols.data(), width, height, maxval);
  return coder.finish();
}

}  // namespace

std::vector<uint8_t> plane_encode(const uint16_t* samples, size_t width, size_t height, uint32_t maxval) {
  if (width == 0 || height == 0) throw Error(ErrorKind::argument, "plane: empty");
  const std::vector<uint16_t> values = distinct_values(samples, width * height);
  if (values.back() > maxval) throw Error(ErrorKind::argument, "plane: sample larger than maxval");

  std::vector<uint8_t> best;
  bool first = true;
  for (Header& h : candidates(values)) {
    std::vector<uint8_t> data = encode_with(h, samples, width, height, maxval);
    if (first || data.size() < best.size()) best = std::move(data);
    first = false;
  }
  return best;
}

void plane_decode(const uint8_t* data, size_t size, size_t width, size_t height, uint32_t maxval,
                  uint16_t* samples) {
  if (width == 0 || height == 0) throw Error(ErrorKind::argument, "plane: empty");
  BitDecoder coder(data, size);
  Header h;
  code_header(coder, h, maxval);
  code_plane(coder, h, samples, width, height, maxval);
  for (size_t i = 0; i < width * height; ++i) samples[i] = to_sample(h, samples[i]);
}

}  // namespace wyner
