// What the functions of include/wyner/decode.h share: nothing may be thrown into C.
#pragma once

#include <new>

#include "base/error.h"
#include "wyner/decode.h"

namespace wyner {

inline wyner_status status_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::corrupt: return WYNER_CORRUPT;
    case ErrorKind::unsupported: return WYNER_UNSUPPORTED;
    case ErrorKind::limit: return WYNER_LIMIT;
    default: return WYNER_ARGUMENT;
  }
}

// Runs `work`, which returns a status, and turns what it throws into one.
template <class Work>
wyner_status guarded(Work work) noexcept {
  try {
    return work();
  } catch (const Error& error) {
    return status_of(error.kind);
  } catch (const std::bad_alloc&) {
    return WYNER_LIMIT;
  } catch (...) {
    return WYNER_ERROR;
  }
}

}  // namespace wyner
