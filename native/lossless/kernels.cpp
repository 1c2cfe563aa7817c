// The tables of functions for this processor.
#include "kernels/lossless_kernels.h"

#include "kernels/dispatch.h"

namespace wyner {

WYNER_DISPATCH(LosslessKernels, lossless_kernels)

}  // namespace wyner
