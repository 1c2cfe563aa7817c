"""Orthogonalised momentum for the weights of convolutions.

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
LEAST_NORM = 1e-12


class Muon(torch.optim.Optimizer):
    """Muon for parameters (A, B, k, k), taken as matrices of A rows."""

    def __init__(self, parameters: Sequence[nn.Parameter], rate: float) -> None:
        super().__init__(parameters, {"lr": rate})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One step along the gradients."""
        for group in self.param_groups:
            parameters = group["params"]
            for parameter in parameters:
                if not self.state[parameter]:
                    self.state[parameter]["momentum"] = torch.zeros_like(parameter)
            gradients = [parameter.grad for parameter in parameters]
            momenta = [self.state[parameter]["momentum"] for parameter in parameters]
            torch._foreach_lerp_(momenta, gradients, 1 - MOMENTUM)
            ahead = torch._foreach_lerp(gradients, momenta, MOMENTUM)
            updates = orthogonalised([a.flatten(1) for a in ahead])
            for parameter, update in zip(parameters, updates, strict=True):
                scale = group["lr"] * (RMS * max(update.shape) ** 0.5)
                parameter.sub_(update.reshape(parameter.shape) * scale)


def orthogonalised(matrices: Sequence[Tensor]) -> list[Tensor]:
    """About U V^T of each singular value decomposition U S V^T: singular values go to 0.7..1.2.

    All go through the iteration at once, filled up with zeros, which it keeps.
    """
    wide = [m.T if m.shape[0] > m.shape[1] else m for m in matrices]
    rows, columns = (max(m.shape[axis] for m in wide) for axis in (0, 1))
    x = wide[0].new_zeros(len(wide), rows, columns)
    for place, m in zip(x, wide, strict=True):
        place[: m.shape[0], : m.shape[1]] = m
    # The bound is for gradients that have long been 0: squares of what is left of the momentum underflow.
    x = x / (torch.linalg.vector_norm(x, dim=(1, 2), keepdim=True) + LEAST_NORM)
    if x.device.type != "cpu":
        x = x.bfloat16()
    a, b, c = _NEWTON
    for _ in range(_ITERATIONS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    x = x.to(wide[0].dtype)
    found = [place[: m.shape[0], : m.shape[1]] for place, m in zip(x, wide, strict=True)]
    return [f.T if m.shape[0] > m.shape[1] else f for f, m in zip(found, matrices, strict=True)]
