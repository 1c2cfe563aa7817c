#include "bindings/convert.h"

namespace nb = nanobind;

static const char* class_name(wyner::ErrorKind kind) {
  switch (kind) {
    case wyner::ErrorKind::corrupt: return "CorruptError";
    case wyner::ErrorKind::unsupported: return "UnsupportedError";
    case wyner::ErrorKind::limit: return "LimitError";
    default: return "UsageError";  // a ValueError
  }
}

void register_errors() {
  nb::register_exception_translator([](const std::exception_ptr& thrown, void*) {
    try {
      std::rethrow_exception(thrown);
    } catch (const wyner::Error& error) {
      // Imported when first thrown: wyner.errors is Python, and this extension must load without it.
      nb::object type = nb::module_::import_("wyner.errors").attr(class_name(error.kind));
      PyErr_SetString(type.ptr(), error.what());
    }
  });
}
