"""Second derivatives of the loss by the networks, as far as quantising them needs these.

With the latents fixed, the bits depend on the ARM and the features alone and the error on the filters and the
synthesis alone, so the Hessian has two blocks. In each, a few hundred directions hold nearly all of the
curvature, and random probes find them (Nystrom approximation). One pair of gradients probes both blocks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ... import _native
from .model import Floats, Model

Reals = npt.NDArray[np.float64]
Gradient = Callable[[Floats], Floats]
"""Gradient (float32, stream order) of the loss by the parameters, latents fixed."""

LAST_RATE_GROUP = 4  # groups up to this one enter the bits, those after it the error
PROBE = 2.0**-8  # standard deviation of a probe; quantisation steps are about 2^-3 .. 2^-9
RIDGE = 0.1  # of the mean curvature, added in every direction: most have less than few probes can tell


@dataclass(frozen=True)
class Block:
    """Curvature of some parameters: ``index`` into the parameter vector, ``hessian`` positive definite."""

    index: npt.NDArray[np.intp]
    hessian: Reals


def curvature(model: Model, params: Floats, gradient: Gradient, probes: int) -> list[Block]:
    """The two blocks at ``params``. Takes ``probes + 1`` gradients."""
    rng = np.random.default_rng(0)
    directions = rng.standard_normal((probes, params.size)) * model.coded
    start = gradient(params).astype(np.float64)
    images = np.empty_like(directions)
    for i, v in enumerate(directions):
        images[i] = (gradient((params + PROBE * v).astype(np.float32)) - start) / PROBE
    return [
        _block(directions, images, np.flatnonzero(model.coded & chosen))
        for chosen in (model.group <= LAST_RATE_GROUP, model.group > LAST_RATE_GROUP)
    ]


def _block(directions: Reals, images: Reals, index: npt.NDArray[np.intp]) -> Block:
    hessian = _native.low_rank_matrix(
        np.ascontiguousarray(directions[:, index]), np.ascontiguousarray(images[:, index])
    )
    diagonal = np.einsum("ii->i", hessian)
    diagonal += RIDGE * diagonal.mean() + 1e-12
    return Block(index, hessian)
