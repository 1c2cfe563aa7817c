// Peak single-precision multiply-adds per second of one core, printed as a number.
//
//     g++ -O3 -march=native -ffp-contract=fast peak_fma.cpp -o peak_fma && ./peak_fma
//
// 12 independent vector accumulators keep every FMA unit busy for the latency of an instruction.
#include <chrono>
#include <cstdio>

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif
typedef float Vec __attribute__((vector_size(kLanes * sizeof(float))));

int main() {
  constexpr int kAccumulators = 12;
  constexpr long kRounds = 20'000'000;
  volatile float seed = 0.5f;
  double best = 0;
  for (int trial = 0; trial < 5; ++trial) {
    Vec acc[kAccumulators];
    const Vec a = Vec{} + seed, b = Vec{} + 0.25f;
    for (int k = 0; k < kAccumulators; ++k) acc[k] = Vec{} + float(k);
    const auto start = std::chrono::steady_clock::now();
    for (long i = 0; i < kRounds; ++i) {
#pragma GCC unroll 12
      for (int k = 0; k < kAccumulators; ++k) {
        acc[k] = acc[k] * a + b;
        __asm__ volatile("" : "+x"(acc[k]));  // keeps the loop from being solved in closed form
      }
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    for (int k = 0; k < kAccumulators; ++k) seed = seed + acc[k][0] * 1e-30f;
    const double rate = double(kRounds) * kAccumulators * kLanes / took.count();
    if (rate > best) best = rate;
  }
  std::printf("%.4g\n", best);
}
