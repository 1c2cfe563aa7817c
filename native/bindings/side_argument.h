// The optional side inputs of bound functions.
#pragma once

#include "base/error.h"
#include "overfit/side_inputs.h"

// What Python gave, or inputs without anything. Throws Error(argument) if they are of a picture of another size.
inline const wyner::overfit::SideInputs& side_of(const wyner::overfit::SideInputs* side, int width, int height) {
  static const wyner::overfit::SideInputs none;
  if (!side) return none;
  const wyner::overfit::Plane& finest = side->contexts[0][0];
  if (finest.width != width || finest.height != height)
    throw wyner::Error(wyner::ErrorKind::argument, "the side inputs are of a picture of another size");
  return *side;
}
