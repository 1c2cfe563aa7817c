// Rows of 16-bit samples: linear maps, filters and the conversion to samples (spec, sections 7 to 9).
#include "kernels/overfit_kernels.h"
#include "kernels/simd16.h"

namespace wyner::WYNER_ISA {

namespace {

inline int16_t sat16(int32_t a) { return int16_t(a < -32768 ? -32768 : a > 32767 ? 32767 : a); }

// kPairs 0 takes the count from the plan.
template <int kPairs>
void linear_pairs(const LinearPlan& plan, const int16_t* const* in, int16_t* const* out, int width) {
  const int pairs = kPairs ? kPairs : plan.pairs;
  const I16 floor = (I16)splat32(plan.relu ? 0 : int32_t(0x80008000));
  for (int x = 0; x < width; x += kLanes16) {
    I16 low[kPairs ? kPairs : kMaxLinearPairs], high[kPairs ? kPairs : kMaxLinearPairs];
    for (int p = 0; p < pairs; ++p) {
      const I16 a = load16(in[2 * p] + x), b = load16(in[2 * p + 1] + x);
      low[p] = zip_low(a, b);
      high[p] = zip_high(a, b);
    }
    const int32_t* w = plan.weights;
    for (int o = 0; o < plan.outputs; ++o, w += pairs) {
      I32 sum_low = splat32(plan.bias[o]), sum_high = sum_low;
      for (int p = 0; p < pairs; ++p) {
        const I16 weight = (I16)splat32(w[p]);
        sum_low = add32(sum_low, madd(low[p], weight));
        sum_high = add32(sum_high, madd(high[p], weight));
      }
      const I16 y = pack_saturated(shift_right(sum_low, plan.shift), shift_right(sum_high, plan.shift));
      store16(out[o] + x, max16(y, floor));
    }
  }
}

void linear(const LinearPlan& plan, const int16_t* const* in, int16_t* const* out, int width) {
  switch (plan.pairs) {
    case 1: return linear_pairs<1>(plan, in, out, width);
    case 2: return linear_pairs<2>(plan, in, out, width);
    case 3: return linear_pairs<3>(plan, in, out, width);
    case 4: return linear_pairs<4>(plan, in, out, width);
    case 14: return linear_pairs<14>(plan, in, out, width);
    default: return linear_pairs<0>(plan, in, out, width);
  }
}

void scale(const int16_t* in, int16_t* out, int n, int width) {
  for (int x = 0; x < width; ++x) out[x] = sat16(in[x] * (1 << n));
}

void zip(const int16_t* even, const int16_t* odd, int16_t* out, int half) {
  for (int x = 0; x < half; ++x) {
    out[2 * x] = even[x];
    out[2 * x + 1] = odd[x];
  }
}

inline int32_t magnitude(int32_t a) { return a < 0 ? -a : a; }

void blur(const int16_t* above, const int16_t* row, const int16_t* below, int32_t* scratch, int16_t* out,
          int n, int width) {
  int32_t* v = scratch + 1;
  for (int x = 0; x < width; ++x)
    v[x] = magnitude(above[x]) + 2 * magnitude(row[x]) + magnitude(below[x]);
  v[-1] = v[0];
  v[width] = v[width - 1];
  for (int x = 0; x < width; ++x) out[x] = sat16((v[x - 1] + 2 * v[x] + v[x + 1]) * (1 << n));
}

void repeat(const int16_t* in, int16_t* out, int level, int width) {
  for (int x = 0; x < width; ++x) out[x] = in[x >> level];
}

inline int32_t to_sample(int32_t t, int32_t maxval) {
  t = t < 0 ? 0 : t > 16384 ? 16384 : t;
  return (t * maxval + 8192) >> 14;
}

template <class Sample, int kChannels>
void write_samples(const int16_t* const* z, const int16_t* const* r, int maxval, Sample* out, int width) {
  for (int x = 0; x < width; ++x) {
    const int32_t y = sat16(z[0][x] + r[0][x]);
    if constexpr (kChannels == 1) {
      out[x] = Sample(to_sample(y, maxval));
    } else {
      const int32_t co = sat16(z[1][x] + r[1][x]), cg = sat16(z[2][x] + r[2][x]);
      out[3 * x] = Sample(to_sample(y + co - cg, maxval));
      out[3 * x + 1] = Sample(to_sample(y + cg, maxval));
      out[3 * x + 2] = Sample(to_sample(y - co - cg, maxval));
    }
  }
}

void samples(const int16_t* const* z, const int16_t* const* residual, int channels, int maxval, void* out,
             int width) {
  if (maxval <= 255) {
    const auto write = channels == 1 ? write_samples<uint8_t, 1> : write_samples<uint8_t, 3>;
    write(z, residual, maxval, static_cast<uint8_t*>(out), width);
  } else {
    const auto write = channels == 1 ? write_samples<uint16_t, 1> : write_samples<uint16_t, 3>;
    write(z, residual, maxval, static_cast<uint16_t*>(out), width);
  }
}

}  // namespace

const RowKernels& row_kernels() {
  static const RowKernels table = {linear, scale, zip, blur, repeat, samples};
  return table;
}

}  // namespace wyner::WYNER_ISA
