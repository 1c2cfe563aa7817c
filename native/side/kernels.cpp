// The tables of functions for this processor.
#include "kernels/side_kernels.h"

#include "kernels/dispatch.h"

namespace wyner {

WYNER_DISPATCH(SideKernels, side_kernels)

}  // namespace wyner
