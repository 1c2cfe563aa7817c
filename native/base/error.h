// The errors of the native core. Bindings turn them into the exceptions of wyner.errors.
#pragma once

#include <stdexcept>
#include <string>

namespace wyner {

enum class ErrorKind { corrupt, unsupported, limit, argument };

struct Error : std::runtime_error {
  Error(ErrorKind k, const std::string& message) : std::runtime_error(message), kind(k) {}
  ErrorKind kind;
};

[[noreturn]] inline void corrupt(const std::string& message) { throw Error(ErrorKind::corrupt, message); }

// Throws Error (argument) unless `holds`.
inline void require(bool holds, const char* message) {
  if (!holds) throw Error(ErrorKind::argument, message);
}

}  // namespace wyner
