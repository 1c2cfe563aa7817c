#include "kernels/overfit_kernels.h"

#include "kernels/dispatch.h"

namespace wyner {

WYNER_DISPATCH(ArmKernels, arm_kernels)
WYNER_DISPATCH(RowKernels, row_kernels)

}  // namespace wyner
