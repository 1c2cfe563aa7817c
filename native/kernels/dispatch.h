// Which instruction set the kernels run on: the best the processor has, or the one WYNER_ISA names.
#pragma once

namespace wyner {

enum class Isa { base, v2, v3, v4, v4_bf16 };

// Throws std::invalid_argument if WYNER_ISA names a set that is unknown or not available here.
Isa active_isa();
const char* isa_name(Isa isa);

}  // namespace wyner

// Defines `const Table& fn()` choosing among wyner::<isa>::fn() built for this platform.
#if defined(WYNER_HAVE_v2)
#define WYNER_DISPATCH(Table, fn)                 \
  namespace v2 { const Table& fn(); }             \
  namespace v3 { const Table& fn(); }             \
  namespace v4 { const Table& fn(); }             \
  const Table& fn() {                             \
    switch (active_isa()) {                       \
      case Isa::v4_bf16:                          \
      case Isa::v4: return v4::fn();              \
      case Isa::v3: return v3::fn();              \
      default: return v2::fn();                   \
    }                                             \
  }
#else
#define WYNER_DISPATCH(Table, fn)                 \
  namespace base { const Table& fn(); }           \
  const Table& fn() { return base::fn(); }
#endif
