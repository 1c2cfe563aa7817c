#include "kernels/dispatch.h"

#include <cstdlib>
#include <stdexcept>
#include <string>

namespace wyner {

const char* isa_name(Isa isa) {
  switch (isa) {
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

static Isa best_isa() {
#if defined(WYNER_HAVE_v2)
  __builtin_cpu_init();
  return has_v4() ? Isa::v4 : has_v3() ? Isa::v3 : Isa::v2;
#else
  return Isa::base;
#endif
}

Isa active_isa() {
  const Isa best = best_isa();
  const char* forced = std::getenv("WYNER_ISA");
  if (!forced || !*forced) return best;
#if defined(WYNER_HAVE_v2)
  constexpr Isa sets[] = {Isa::v2, Isa::v3, Isa::v4};
#else
  constexpr Isa sets[] = {Isa::base};
#endif
  for (Isa isa : sets)
    if (isa <= best && std::string(forced) == isa_name(isa)) return isa;
  throw std::invalid_argument("WYNER_ISA=" + std::string(forced) +
                              ": unknown, or not available on this processor (best: " +
                              isa_name(best) + ")");
}

}  // namespace wyner
