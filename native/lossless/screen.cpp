#include "lossless/screen.h"

#include <algorithm>
#include <array>
#include <bit>
#include <memory>

#include "base/error.h"
#include "coder/bit_coder.h"
#include "plane/models.h"

namespace wyner::lossless {
namespace {

using planes::DifferenceModel;
using planes::Rows;

// A pixel's samples in one number, 16 bits each, the first the highest.
using Colour = uint64_t;

constexpr size_t kMaxPalette = 256;

// The pixels around the next one; those outside the picture are 0.
struct Around {
  Colour w, n, nw, ne, ww, nn;
};

class ColourRows {
 public:
  explicit ColourRows(size_t width) : width_(width + 2 * kMargin), data_(3 * width_, 0) {}

  Around around(size_t x) {
    const Colour *r0 = row(0) + x, *r1 = row(1) + x, *r2 = row(2) + x;
    return {r0[-1], r1[0], r1[-1], r1[1], r0[-2], r2[0]};
  }
  void set(size_t x, Colour c) { row(0)[x] = c; }
  void end_row() {
    current_ = (current_ + 1) % 3;
    std::fill_n(row(0) - kMargin, width_, 0);
  }

 private:
  static constexpr size_t kMargin = 2;
  Colour* row(size_t above) { return data_.data() + width_ * ((current_ + 3 - above) % 3) + kMargin; }

  size_t width_, current_ = 0;
  std::vector<Colour> data_;
};

// What followed, the last time, on the same surroundings.
class Memory {
 public:
  struct Entry {
    Colour colour = 0;
    uint8_t trust = 0;  // 0: never seen; to kMostTrust
  };
  static constexpr int kMostTrust = 3;

  template <size_t N>
  Entry& find(const std::array<Colour, N>& around) {
    uint64_t hash = N;
    for (Colour c : around) {
      hash = (hash ^ c) * 0x9E3779B97F4A7C15u;
      hash ^= hash >> 29;
    }
    return entries_[hash >> (64 - kBits)];
  }

  static void learn(Entry& entry, Colour c) {
    if (entry.trust > 0 && entry.colour == c) entry.trust = uint8_t(std::min(entry.trust + 1, kMostTrust));
    else if (entry.trust > 1) entry.trust = 1;
    else entry = {c, 1};
  }

 private:
  static constexpr int kBits = 16;
  std::vector<Entry> entries_ = std::vector<Entry>(size_t{1} << kBits);
};

// Colours that the next pixel may have, all different.
struct Candidates {
  static constexpr int kMost = 8;
  std::array<Colour, kMost> colours;
  std::array<uint8_t, kMost> kinds;  // contexts
  int count = 0;

  void add(Colour c, int kind) {
    if (std::find(colours.begin(), colours.begin() + count, c) != colours.begin() + count) return;
    colours[size_t(count)] = c;
    kinds[size_t(count++)] = uint8_t(kind);
  }
};

class Model {
 public:
  Model(const Shape& shape, std::vector<Colour> palette)
      : channels_(shape.channels), maxval_(shape.maxval), palette_(std::move(palette)),
        index_bits_(std::bit_width(palette_.empty() ? 0u : unsigned(palette_.size() - 1))), rows_(size_t(shape.width)),
        spelled_above_(size_t(shape.width) + 2, 0), spelled_row_(spelled_above_) {
    for (int c = 0; palette_.empty() && c < channels_; ++c) {
      samples_.emplace_back(size_t(shape.width));
      differences_.push_back(std::make_unique<DifferenceModel>(maxval_, size_t(shape.width), true));
    }
  }

  void begin_row() {
    for (auto& rows : samples_) rows.begin_row();
    for (auto& model : differences_) model->begin_row();
  }

  void end_row() {
    rows_.end_row();
    std::swap(spelled_above_, spelled_row_);
    for (auto& rows : samples_) rows.end_row();
  }

  template <class Coder>
  Colour code(Coder& coder, size_t x, Colour c) {
    const Around p = rows_.around(x);
    Memory::Entry& wide = memory_.find<6>({p.w, p.n, p.nw, p.ne, p.ww, p.nn});
    Memory::Entry& narrow = memory_.find<3>({p.w, p.n, p.ne});
    const Candidates candidates = candidates_of(p, wide, narrow);
    const auto end = candidates.colours.begin() + candidates.count;
    const bool is_new = std::find(candidates.colours.begin(), end, c) == end;
    const bool spelled = coder.bit(spelled_[spelled_context(p, wide, x)], is_new);
    c = spelled ? spell(coder, x, p, c) : choose(coder, candidates, p, c);
    if (!spelled)
      for (auto& model : differences_) model->skip(x);
    Memory::learn(wide, c);
    Memory::learn(narrow, c);
    note(x, c, spelled);
    return c;
  }

 private:
  static Candidates candidates_of(const Around& p, const Memory::Entry& wide, const Memory::Entry& narrow) {
    Candidates found;
    if (wide.trust) found.add(wide.colour, wide.trust);
    if (narrow.trust) found.add(narrow.colour, 3 + narrow.trust);
    found.add(p.w, 7);
    found.add(p.n, 8);
    found.add(p.ne, 9);
    found.add(p.nw, 10);
    found.add(p.ww, 11);
    found.add(p.nn, 12);
    return found;
  }

  static int pattern(const Around& p) {
    return (p.n == p.w) | (p.nw == p.w) << 1 | (p.nw == p.n) << 2 | (p.ne == p.n) << 3 | (p.ww == p.w) << 4 |
           (p.nn == p.n) << 5;
  }

  int spelled_context(const Around& p, const Memory::Entry& wide, size_t x) const {
    const int near = spelled_row_[x] + spelled_above_[x] + spelled_above_[x + 1] + spelled_above_[x + 2];
    return (near * 4 + wide.trust) * 8 + ((p.n == p.w) | (p.ne == p.n) << 1 | (p.ww == p.w) << 2);
  }

  template <class Coder>
  Colour choose(Coder& coder, const Candidates& candidates, const Around& p, Colour c) {
    const int around = pattern(p);
    int i = 0;
    while (i + 1 < candidates.count && !coder.bit(chosen_[candidates.kinds[size_t(i)]][around],
                                                 candidates.colours[size_t(i)] == c))
      ++i;
    return candidates.colours[size_t(i)];
  }

  template <class Coder>
  Colour spell(Coder& coder, size_t x, const Around& p, Colour c) {
    return palette_.empty() ? spell_samples(coder, x, c) : spell_index(coder, p, c);
  }

  template <class Coder>
  Colour spell_index(Coder& coder, const Around& p, Colour c) {
    const auto index = [&](Colour colour) {
      return size_t(std::lower_bound(palette_.begin(), palette_.end(), colour) - palette_.begin());
    };
    const size_t value = Coder::kDecodes ? 0 : index(c), left = std::min(index(p.w), kMaxPalette - 1);
    size_t node = 1;
    for (int i = index_bits_; i-- > 0;) node = 2 * node + size_t(coder.bit(index_[left][node], (value >> i) & 1));
    node -= size_t{1} << index_bits_;
    if (node >= palette_.size()) corrupt("screen: palette index out of range");
    return palette_[node];
  }

  // The second and third sample as differences from the first, which run round.
  template <class Coder>
  Colour spell_samples(Coder& coder, size_t x, Colour c) {
    std::array<int, 3> v = turned(c);
    for (int i = 0; i < channels_; ++i)
      v[size_t(i)] = differences_[size_t(i)]->code(coder, samples_[size_t(i)].near(x), x, v[size_t(i)]);
    return back(v);
  }

  std::array<int, 3> turned(Colour c) const {
    const int a = int(c >> 32), b = int(c >> 16) & 65535, d = int(c) & 65535, half = (maxval_ + 1) / 2;
    return channels_ == 1 ? std::array<int, 3>{d, 0, 0}
                          : std::array<int, 3>{b, (a - b + half) & maxval_, (d - b + half) & maxval_};
  }

  Colour back(const std::array<int, 3>& v) const {
    if (channels_ == 1) return Colour(v[0]);
    const int half = (maxval_ + 1) / 2;
    return Colour((v[1] + v[0] - half) & maxval_) << 32 | Colour(v[0]) << 16 | Colour((v[2] + v[0] - half) & maxval_);
  }

  void note(size_t x, Colour c, bool spelled) {
    rows_.set(x, c);
    spelled_row_[x + 1] = spelled;
    if (samples_.empty()) return;
    const std::array<int, 3> v = turned(c);
    for (size_t i = 0; i < samples_.size(); ++i) samples_[i].set(x, uint16_t(v[i]));
  }

  int channels_, maxval_;
  std::vector<Colour> palette_;  // ascending; empty where differences are coded
  int index_bits_;
  ColourRows rows_;
  Memory memory_;
  std::vector<uint8_t> spelled_above_, spelled_row_;  // whether pixel x was spelled out, at x + 1
  std::vector<Rows> samples_;
  std::vector<std::unique_ptr<DifferenceModel>> differences_;
  BitModel spelled_[5 * 4 * 8];
  BitModel chosen_[13][64];
  BitModel index_[kMaxPalette][kMaxPalette];
};

Colour colour_at(const uint16_t* p, int channels) {
  return channels == 1 ? p[0] : Colour(p[0]) << 32 | Colour(p[1]) << 16 | p[2];
}

// All colours, ascending, or none if there are more than kMaxPalette.
std::vector<Colour> palette_of(const uint16_t* samples, const Shape& shape) {
  std::vector<Colour> found;
  const uint16_t* end = samples + size_t(shape.width) * shape.height * shape.channels;
  for (const uint16_t* p = samples; p != end; p += shape.channels) {
    const Colour c = colour_at(p, shape.channels);
    const auto place = std::lower_bound(found.begin(), found.end(), c);
    if (place != found.end() && *place == c) continue;
    if (found.size() == kMaxPalette) return {};
    found.insert(place, c);
  }
  return found;
}

template <class Coder>
void code_palette(Coder& coder, std::vector<Colour>& palette, const Shape& shape) {
  const int bits = std::bit_width(unsigned(shape.maxval));
  palette.resize(coder.bits(9, uint32_t(palette.size())));
  if (palette.size() > kMaxPalette) corrupt("screen: the palette is too large");
  for (size_t i = 0; i < palette.size(); ++i) {
    Colour c = 0;
    for (int s = 16 * (shape.channels - 1); s >= 0; s -= 16)
      c |= Colour(coder.bits(bits, uint32_t(palette[i] >> s) & 65535)) << s;
    if (i && c <= palette[i - 1]) corrupt("screen: the palette does not ascend");
    palette[i] = c;
  }
}

template <class Coder>
void code_pixels(Coder& coder, const Shape& shape, std::vector<Colour> palette, uint16_t* samples) {
  code_palette(coder, palette, shape);
  const auto model = std::make_unique<Model>(shape, std::move(palette));
  for (int y = 0; y < shape.height; ++y) {
    model->begin_row();
    for (int x = 0; x < shape.width; ++x, samples += shape.channels) {
      const Colour c = model->code(coder, size_t(x), Coder::kDecodes ? 0 : colour_at(samples, shape.channels));
      for (int i = 0; i < shape.channels; ++i) samples[i] = uint16_t(c >> 16 * (shape.channels - 1 - i));
    }
    model->end_row();
  }
}

}  // namespace

std::vector<uint8_t> screen_encode(const uint16_t* samples, const Shape& shape) {
  std::vector<uint16_t> copy(samples, samples + size_t(shape.width) * shape.height * shape.channels);
  const auto coded = [&](std::vector<Colour> palette) {
    BitEncoder coder;
    code_pixels(coder, shape, std::move(palette), copy.data());
    return coder.finish();
  };
  std::vector<uint8_t> best = coded({});
  const std::vector<Colour> palette = palette_of(samples, shape);
  if (palette.empty()) return best;
  std::vector<uint8_t> other = coded(palette);
  return other.size() <= best.size() ? other : best;
}

void screen_decode(const uint8_t* data, size_t size, const Shape& shape, uint16_t* samples) {
  BitDecoder coder(data, size);
  code_pixels(coder, shape, {}, samples);
}

}  // namespace wyner::lossless
