// Conversions that bindings share.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstdint>
#include <vector>

#include "base/error.h"

// Makes wyner::Error arrive in Python as the class of wyner.errors that its kind names.
void register_errors();

// A new numpy array that owns `data`.
template <class T>
nanobind::ndarray<nanobind::numpy, T> to_array(std::vector<T> data, std::initializer_list<size_t> shape) {
  auto* owned = new std::vector<T>(std::move(data));
  nanobind::capsule owner(owned, [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
  return nanobind::ndarray<nanobind::numpy, T>(owned->data(), shape, owner);
}
