// What decoders may say of arbitrary bytes.
#pragma once

#include <cstdlib>

#include "base/error.h"

// Aborts unless the error is one of the data: an argument is a mistake of the caller's.
inline void require_of_bytes(const wyner::Error& error) {
  if (error.kind != wyner::ErrorKind::corrupt && error.kind != wyner::ErrorKind::unsupported) std::abort();
}
