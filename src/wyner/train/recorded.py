"""A function of tensors that is recorded once as a CUDA graph and then repeated as a whole."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Inputs = tuple[Tensor, ...]
Step = Callable[[Inputs], dict[str, Tensor]]

EAGER = 3
"""Calls that go as they are: libraries choose their kernels, and optimisers make their state."""


class Recorded:
    """``step`` without the cost of launching its kernels one by one.

    The first calls run it as it is, on the stream of the caller. Then one call is recorded; that one and all
    that follow copy their inputs to where the recorded kernels read, and repeat these. There must be inputs,
    which keep their shapes. What is returned is overwritten by the next call. Random numbers are those of
    PyTorch's generator as it stands at each call; where graphs run at the same time, of the last call. Only
    for steps that never look at values of tensors.
    """

    def __init__(self, step: Step) -> None:
        self.step = step
        self.calls = 0
        self.graph: torch.cuda.CUDAGraph | None = None
        self.inputs: Inputs = ()
        self.outputs: dict[str, Tensor] = {}

    def __call__(self, inputs: Inputs) -> dict[str, Tensor]:
        """What ``step`` returns of these inputs."""
        self.calls += 1
        if self.calls <= EAGER:
            return self.step(inputs)
        if self.graph is None:
            self.inputs = tuple(value.clone() for value in inputs)
            graph = torch.cuda.CUDAGraph()
            # A stream of its own: libraries have a workspace for each, and graphs may run at the same time.
            stream = torch.cuda.Stream(inputs[0].device)
            with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
                self.outputs = self.step(self.inputs)
            self.graph = graph
        for place, value in zip(self.inputs, inputs, strict=True):
            place.copy_(value)
        self.graph.replay()
        return self.outputs
