"""LPIPS with the SqueezeNet 1.1 trunk and the heads of version 0.1, on PyTorch.

Zhang, Isola, Efros, Shechtman and Wang, "The unreasonable effectiveness of deep features as a perceptual
metric", CVPR 2018.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import CorruptError, UsageError
from .lpips_weights import find_weights, load_weights, tensor_shapes
from .pairs import check_pair

if TYPE_CHECKING:
    import torch

MIN_SIDE = 17
"""The shortest side that leaves a sample after the last pooling."""

_STEM = "net.slice1.0"
_STAGES: tuple[tuple[bool, tuple[str, ...]], ...] = (
    (True, ("net.slice2.3", "net.slice2.4")),
    (True, ("net.slice3.6", "net.slice3.7")),
    (True, ("net.slice4.9",)),
    (False, ("net.slice5.10",)),
    (False, ("net.slice6.11",)),
    (False, ("net.slice7.12",)),
)
"""After the stem: whether a stage begins with pooling, and its fire modules (Iandola et al. 2016)."""


def lpips(a: npt.NDArray[Any], b: npt.NDArray[Any], maxval: int, weights: Path | str | None = None) -> float:
    """LPIPS distance of two pictures: 0 for equal ones, larger for worse, rarely above 1.

    ``a`` and ``b`` are (H, W), (H, W, 1) or (H, W, 3) of one shape and one integer dtype with samples in
    0..``maxval``; grey stands for three equal planes. ``weights`` is as in ``find_weights``; a file is read
    once in a process. Computed in float32 on the CPU, with about 400 bytes of memory per pixel.

    Raises UsageError for pictures that do not compare and for sides shorter than 17, UnavailableError where
    PyTorch or the weights are missing, and CorruptError where the file does not hold them.
    """
    check_pair(a, b, maxval)  # before seconds go into importing PyTorch
    return _cached_model(str(find_weights(weights)))(a, b, maxval)


@functools.lru_cache(maxsize=2)
def _cached_model(path: str) -> Lpips:
    return Lpips(load_weights(path))


class Lpips:
    """The metric with its weights. Instances are callable and hold no state but the weights."""

    def __init__(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """``tensors`` by name, float32, as ``load_weights`` gives them.

        Raises CorruptError when one is missing or has another shape than in LPIPS 0.1 with SqueezeNet.
        """
        for name, shape in tensor_shapes().items():
            if name not in tensors or tuple(tensors[name].shape) != shape:
                raise CorruptError(f"LPIPS weights: {name} is missing or not of shape {shape}")
        self._tensors = tensors

    def __call__(self, a: npt.NDArray[Any], b: npt.NDArray[Any], maxval: int) -> float:
        """The distance; arguments, memory and errors as in ``lpips``."""
        check_pair(a, b, maxval)
        if min(a.shape[:2]) < MIN_SIDE:
            raise UsageError(f"LPIPS needs {MIN_SIDE} pixels on each side; {a.shape[1]}x{a.shape[0]} is less")
        if a.ndim == 3 and a.shape[2] not in (1, 3):
            raise UsageError(f"LPIPS is for grey and RGB pictures, not for {a.shape[2]} planes")
        import torch

        with torch.inference_mode():
            return self._distance(torch.from_numpy(np.stack([_signed(a, maxval), _signed(b, maxval)])))

    def _distance(self, pair: torch.Tensor) -> float:
        """Distance of the two pictures of a batch (2, 3, H, W) in -1..1."""
        return sum(_layer_distance(features, head) for features, head in self.stages(pair))

    def stages(self, x: torch.Tensor) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Seven times: features (B, C, h, w) of pictures (B, 3, H, W) in -1..1, and a head (1, C, 1, 1)."""
        import torch.nn.functional as F

        t = self._tensors
        x = (x - t["scaling_layer.shift"]) / t["scaling_layer.scale"]
        x = F.relu(F.conv2d(x, t[f"{_STEM}.weight"], t[f"{_STEM}.bias"], stride=2))
        yield x, t["lins.0.model.1.weight"]
        for index, (pools, fires) in enumerate(_STAGES, 1):
            if pools:
                x = F.max_pool2d(x, 3, 2, ceil_mode=True)
            for fire in fires:
                x = self._fire(x, fire)
            yield x, t[f"lins.{index}.model.1.weight"]

    def _fire(self, x: torch.Tensor, name: str) -> torch.Tensor:
        """A squeeze to few channels, then 1x1 and 3x3 filters of those side by side."""
        import torch
        import torch.nn.functional as F

        t = self._tensors

        def layer(x: torch.Tensor, part: str, padding: int = 0) -> torch.Tensor:
            return F.relu(F.conv2d(x, t[f"{name}.{part}.weight"], t[f"{name}.{part}.bias"], padding=padding))

        x = layer(x, "squeeze")
        return torch.cat([layer(x, "expand1x1"), layer(x, "expand3x3", 1)], 1)


def _layer_distance(features: torch.Tensor, head: torch.Tensor) -> float:
    """Mean over positions of the weighted squared difference of unit feature vectors (eq. 1 of the paper)."""
    import torch

    norms = torch.linalg.vector_norm(features, dim=1, keepdim=True) + 1e-10
    a, b = features / norms
    a -= b
    return float(torch.vdot(a.square_().mean((1, 2), dtype=torch.float64), head.flatten().double()))


def _signed(pixels: npt.NDArray[Any], maxval: int) -> npt.NDArray[np.float32]:
    """Samples as float32 planes (3, H, W) in -1..1."""
    planes = np.moveaxis(np.atleast_3d(pixels), 2, 0).astype(np.float32) * np.float32(2 / maxval) - 1
    return np.repeat(planes, 3, 0) if len(planes) == 1 else planes
