"""Adam with orthogonalised momentum for the weights of convolutions.

Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024, with the scale of Liu et al.,
"Muon is scalable for LLM training", 2025 (equation 4), at which rates for Adam serve both.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

MOMENTUM = 0.95
RMS = 0.2
"""Root mean square of an update of Adam, about, over the rate."""
_NEWTON = (3.4445, -4.7750, 2.0315)
_ITERATIONS = 5


class Muon(torch.optim.Optimizer):
    """Muon for parameters (out, in, k, k), taken as matrices of out rows."""

    def __init__(self, parameters: Sequence[nn.Parameter], rate: float) -> None:
        super().__init__(parameters, {"lr": rate})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One step along the gradients."""
        for group in self.param_groups:
            for parameter in group["params"]:
                state = self.state[parameter]
                if not state:
                    state["momentum"] = torch.zeros_like(parameter)
                momentum = state["momentum"].lerp_(parameter.grad, 1 - MOMENTUM)
                ahead = parameter.grad.lerp(momentum, MOMENTUM).flatten(1)
                update = orthogonalised(ahead).view_as(parameter)
                parameter.sub_(update * (group["lr"] * (RMS * max(ahead.shape) ** 0.5)))


def orthogonalised(matrix: Tensor) -> Tensor:
    """About U V^T of the singular value decomposition U S V^T: singular values go to 0.7..1.2."""
    x = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    x = x / (x.norm() + 1e-30)
    if x.device.type != "cpu":
        x = x.bfloat16()
    a, b, c = _NEWTON
    for _ in range(_ITERATIONS):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    x = x.to(matrix.dtype)
    return x.T if matrix.shape[0] > matrix.shape[1] else x
