#include "kernels/dispatch.h"

#include <cstdlib>
#include <stdexcept>
#include <string>

namespace wyner {

const char* isa_name(Isa isa) {
  switch (isa) {
    case Isa::v4_bf16: return "v4_bf16";
    case Isa::v4: return "v4";
    case Isa::v3: return "v3";
    case Isa::v2: return "v2";
    default: return "base";
  }
}

#if defined(WYNER_HAVE_v2) && defined(__clang__)
// Clang before 18 knows features but not levels; every processor with these has the rest of its level.
static bool has_v3() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("fma");
}
static bool has_v4() {
  return has_v3() && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
#elif defined(WYNER_HAVE_v2)
static bool has_v3() { return __builtin_cpu_supports("x86-64-v3"); }
static bool has_v4() { return __builtin_cpu_supports("x86-64-v4"); }
#endif

#if defined(WYNER_HAVE_v4_bf16)
static bool has_bf16() { return __builtin_cpu_supports("avx512bf16"); }
#else
[[maybe_unused]] static bool has_bf16() { return false; }
#endif

static Isa most() {
#if defined(WYNER_HAVE_v2)
  __builtin_cpu_init();
  return !has_v4() ? has_v3() ? Isa::v3 : Isa::v2 : has_bf16() ? Isa::v4_bf16 : Isa::v4;
#else
  return Isa::base;
#endif
}

// Fits gain by bfloat16 on AMD's processors; on Intel's that has not been measured.
static Isa best_isa() {
#if defined(WYNER_HAVE_v4_bf16)
  if (most() == Isa::v4_bf16 && !__builtin_cpu_is("amd")) return Isa::v4;
#endif
  return most();
}

Isa active_isa() {
  const char* forced = std::getenv("WYNER_ISA");
  if (!forced || !*forced) return best_isa();
#if defined(WYNER_HAVE_v2)
  constexpr Isa sets[] = {Isa::v2, Isa::v3, Isa::v4, Isa::v4_bf16};
#else
  constexpr Isa sets[] = {Isa::base};
#endif
  for (Isa isa : sets)
    if (isa <= most() && std::string(forced) == isa_name(isa)) return isa;
  throw std::invalid_argument("WYNER_ISA=" + std::string(forced) +
                              ": unknown, or not available on this processor (best: " +
                              isa_name(most()) + ")");
}

}  // namespace wyner
