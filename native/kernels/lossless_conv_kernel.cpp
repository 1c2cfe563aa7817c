// Convolutions, norms and attention of the lossless codec (docs/spec/lossless.md, section 4).
#include "kernels/lossless_kernels.h"
#include "kernels/lossless_tables.h"
#include "kernels/simd16.h"

namespace wyner::WYNER_ISA {

namespace {

constexpr int kVectorLanes = int(sizeof(I32) / 4);
#if defined(__AVX512BW__)
constexpr int kAtOnce = 8, kVectors = 2;  // outputs and vectors of positions held in registers
#else
constexpr int kAtOnce = 4, kVectors = 2;
#endif
static_assert(kSegment % (kVectorLanes * kVectors) == 0 && kOutputs % kAtOnce == 0);

inline int clamp(int v, int low, int high) { return v < low ? low : v > high ? high : v; }

// kAtOnce outputs at kVectors vectors of positions.
template <int kTaps>
inline void conv_block(const int16_t* weights, const int16_t* const* inputs, int pairs, int64_t row_stride,
                       int offset, int32_t* sums) {
  I32 acc[kAtOnce][kVectors];
  for (int o = 0; o < kAtOnce; ++o)
    for (int v = 0; v < kVectors; ++v) acc[o][v] = load32(sums + o * kSegment + offset + v * kVectorLanes);
  for (int p = 0; p < pairs; ++p) {
    const int16_t* centre = inputs[p] + 2 * offset;
    for (int t = 0; t < kTaps; ++t, weights += 2 * kOutputs) {
      const int16_t* from = kTaps == 1 ? centre : centre + (t / 3 - 1) * row_stride + 2 * (t % 3 - 1);
      I32 x[kVectors];
      for (int v = 0; v < kVectors; ++v) x[v] = load32((const int32_t*)(from + 2 * v * kVectorLanes));
      for (int o = 0; o < kAtOnce; ++o) {
        int32_t pair;
        __builtin_memcpy(&pair, weights + 2 * o, 4);
        const I32 w = splat32(pair);
        for (int v = 0; v < kVectors; ++v) acc[o][v] = add32(acc[o][v], madd(x[v], w));
      }
    }
  }
  for (int o = 0; o < kAtOnce; ++o)
    for (int v = 0; v < kVectors; ++v) store32(sums + o * kSegment + offset + v * kVectorLanes, acc[o][v]);
}

template <int kTaps>
void conv_of(const ConvPlan& plan, const int16_t* const* inputs, int64_t row_stride, int32_t* sums) {
  const int64_t group_size = int64_t{plan.pairs} * kTaps * kOutputs * 2;
  for (int g = 0; g < plan.groups; ++g)
    for (int o = 0; o < kOutputs; o += kAtOnce)
      for (int x = 0; x < kSegment; x += kVectors * kVectorLanes)
        conv_block<kTaps>(plan.weights + g * group_size + 2 * o, inputs, plan.pairs, row_stride, x,
                          sums + (g * kOutputs + o) * kSegment);
}

void conv(const ConvPlan& plan, const int16_t* const* inputs, int64_t row_stride, int32_t* sums) {
  if (plan.taps == 1) conv_of<1>(plan, inputs, row_stride, sums);
  else conv_of<9>(plan, inputs, row_stride, sums);
}

// 2^kInverseBits over the square root of a mean square, as mantissa and shift to the right.
inline int32_t inverse_root(uint32_t mean, int* shift) {
  const int zeros = __builtin_clz(mean) & ~1;
  *shift = 16 - zeros / 2;
  return kInverseRoot[(mean << zeros >> 22) - 256];
}

void norm_relu(const int32_t* sums, int channels, const int16_t* const* added, int16_t* const* out) {
  constexpr int kShift = kWeightBits + kValueBits - kRawBits;
  static_assert(kShift > 0);
  uint32_t squares[kSegment] = {};
  int32_t raw[kMaxChannels][kSegment];
  for (int c = 0; c < channels; ++c)
    for (int x = 0; x < kSegment; ++x) {
      const int v = clamp((sums[c * kSegment + x] + (1 << (kShift - 1))) >> kShift, -kValueLimit, kValueLimit);
      raw[c][x] = v;
      squares[x] += uint32_t(v * v);
    }
  int32_t mantissa[kSegment], shift[kSegment], half[kSegment];
  for (int x = 0; x < kSegment; ++x) {
    mantissa[x] = inverse_root(squares[x] / uint32_t(channels) + kNormFloor, &shift[x]);
    shift[x] += kInverseBits - kValueBits;
    half[x] = 1 << (shift[x] - 1);
  }
  for (int p = 0; p < channels / 2; ++p) {
    int16_t* to = out[p];
    for (int x = 0; x < kSegment; ++x)
      for (int i = 0; i < 2; ++i) {
        const int v = raw[2 * p + i][x];
        const int positive = v < 0 ? 0 : v;
        const int normed = (positive * mantissa[x] + half[x]) >> shift[x];
        const int before = added ? added[p][2 * x + i] : 0;
        to[2 * x + i] = int16_t(clamp(normed + before, 0, kValueLimit));
      }
  }
}

void limit(const int32_t* sums, int channels, int low, int16_t* const* out) {
  for (int p = 0; p < channels / 2; ++p)
    for (int x = 0; x < kSegment; ++x)
      for (int i = 0; i < 2; ++i)
        out[p][2 * x + i] = int16_t(
            clamp((sums[(2 * p + i) * kSegment + x] + (1 << (kWeightBits - 1))) >> kWeightBits, low, kValueLimit));
}

inline int dot(const int16_t* a, const int16_t* b, int count) {
  int sum = 0;
  for (int i = 0; i < count; ++i) sum += a[i] * b[i];
  return sum;
}

void attend(const int16_t* q, const int16_t* k, const int16_t* v, const int16_t* usable, int queries, int count,
            int depth, int16_t* out) {
  int32_t score[kMaxKeys];
  int16_t part[kMaxKeys];
  for (int i = 0; i < queries; ++i, q += depth, out += depth) {
    int most = INT32_MIN;
    for (int j = 0; j < count; ++j) {
      score[j] = dot(q, k + j * depth, depth) >> kScoreShift;
      if (usable[j] && score[j] > most) most = score[j];
    }
    int64_t sum = 0;
    for (int j = 0; j < count; ++j) {
      score[j] = usable[j] ? power_of_half(most - score[j]) : 0;
      sum += score[j];
    }
    const int64_t inverse = (int64_t{1} << (2 * kPowerBits)) / sum;
    for (int j = 0; j < count; ++j) part[j] = int16_t((score[j] * inverse) >> (2 * kPowerBits - kPartBits));
    for (int c = 0; c < depth; ++c)
      out[c] = int16_t((dot(part, v + c * count, count) + (1 << (kPartBits - 1))) >> kPartBits);
  }
}

}  // namespace

const LosslessKernels& lossless_kernels() {
  static const LosslessKernels table{conv, norm_relu, limit, attend};
  return table;
}

}  // namespace wyner::WYNER_ISA
