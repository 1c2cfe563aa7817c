"""From fitted integers to a payload: the fixed-point formats are chosen on the integer program itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ... import _native
from ...errors import LimitError
from .coarse import half_size
from .expected import expected_bits
from .model import Extras, Floats, Ints, Model, load_model
from .schedule import Plan, architecture_for, grid_count, model_index, plan_for
from .weights import QuantisedWeights

MAX_LATENT = 4095
MAX_SIDE = 131072


@dataclass(frozen=True)
class Picture:
    """The picture being coded: pixels (H, W, C) uint8 or uint16.

    side: what is known from a side picture, if there is one. half_side: makes the same for half the size.
    side_gain: how much of the side picture the reconstruction begins with, 0..1. Raises LimitError for more
    than ``MAX_SIDE`` columns or rows.
    """

    pixels: npt.NDArray[np.generic]
    side: _native.SideInputs | None = None
    half_side: Callable[[], _native.SideInputs] | None = None
    side_gain: float = 1.0

    def __post_init__(self) -> None:
        if max(self.width, self.height) > MAX_SIDE:
            raise LimitError(f"the picture is {self.width}x{self.height}; this codec takes {MAX_SIDE} a side")

    @property
    def extras(self) -> Extras:
        """Contexts and planes that the side picture adds to a model's inputs."""
        return (0, 0) if self.side is None else self.side.extras

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def channels(self) -> int:
        return int(self.pixels.shape[2])

    @property
    def maxval(self) -> int:
        return 255 if self.pixels.dtype == np.uint8 else 65535

    @property
    def area(self) -> int:
        """Pixels."""
        return self.width * self.height

    @property
    def image(self) -> Floats:
        """Samples as a fitter takes them: (C, H, W) in [0, 1]."""
        return np.ascontiguousarray(self.pixels.astype(np.float32).transpose(2, 0, 1) / self.maxval)

    @property
    def fixed(self) -> None:
        """Its networks are to be fitted."""

    @property
    def steps_of_weights(self) -> None:
        """Nothing is said of the steps of its weights."""

    def means(self, effort: int, lam: float) -> tuple[Plan, Model]:
        """The plan and the model for an effort level and a Lagrange multiplier."""

        def bits() -> float:
            # With a side picture less is coded, and nobody knows how much.
            return 0.0 if self.side is not None else expected_bits(self.image, lam)

        architecture = architecture_for(effort, lam, bits)
        model = load_model(model_index(architecture, lam), grid_count(self.width, self.height), self.extras)
        return plan_for(effort, architecture, lam), model

    def fitter(self, model: Model, threads: int, seed: int) -> _native.Fitter:
        """A fitter at its beginning."""
        fitter = _native.Fitter(self.image, model.index, model.grids, threads, seed, self.side)
        if self.side_gain != 1:
            params = fitter.get_params()
            model.tensor(params, "syn.wl")[:, model.grids :] *= self.side_gain
            fitter.set_params(params)
        return fitter

    def half_fitter(self, model: Model, threads: int, seed: int) -> _native.Fitter:
        """A fitter of the picture at half its size, for a model with one grid less."""
        side = self.half_side() if self.half_side else None
        return _native.Fitter(half_size(self.image), model.index, model.grids, threads, seed, side)

    def code(self, model: Model, w: QuantisedWeights, latents: list[Ints], threads: int) -> Coded:
        """Write the payload with the best fixed-point formats."""
        parts = [(self, latents)]
        fa = activation_bits(parts, model, w)
        fu, mse = plane_bits(parts, model, w, threads)
        payload = _native.overfit_encode(
            self.width, self.height, model.index, fa, fu, list(w.k), list(w.s), w.params, latents, self.side
        )
        return Coded((payload,), mse)

    def mse(self, decoded: npt.NDArray[np.generic]) -> float:
        """Mean squared error of samples scaled to [0, 1]."""
        error = self.pixels.astype(np.float32) - decoded.astype(np.float32)
        return float(np.mean(np.square(error), dtype=np.float64)) / self.maxval**2


@dataclass(frozen=True)
class Coded:
    """What a fit ends with.

    payloads: that of a picture; or the networks of a set, and what else each of its pictures needs. mse: mean
    squared error of what these decode to, in [0, 1] units. lam: the multiplier at the end.
    """

    payloads: tuple[bytes, ...]
    mse: float
    lam: float = 0.0

    @property
    def bits(self) -> float:
        """Size of all payloads."""
        return 8.0 * sum(map(len, self.payloads))


def round_latents(latents: list[npt.NDArray[np.float32]]) -> list[Ints]:
    """Latents rounded to integers that a file can hold."""
    return [np.floor(y + 0.5).clip(-MAX_LATENT, MAX_LATENT).astype(np.int32) for y in latents]


Parts = Sequence[tuple[Picture, list[Ints]]]
"""Pictures that share networks, and the latents of each, finest grid first."""


def activation_bits(parts: Parts, model: Model, w: QuantisedWeights) -> int:
    """The `fa` with which the latents take fewest bits."""
    best: tuple[float, int] | None = None
    for fa in range(4, 12):
        try:
            bits = sum(
                sum(
                    _native.overfit_bits(
                        p.width, p.height, model.index, fa, 8, list(w.k), list(w.s), w.params, latents, p.side
                    )[1]
                )
                for p, latents in parts
            )
        except ValueError:  # a bound of section 6 does not hold
            continue
        if best is None or bits < best[0]:
            best = (bits, fa)
    if best is None:
        raise RuntimeError("no activation format fits the weights of the ARM")
    return best[1]


def plane_bits(parts: Parts, model: Model, w: QuantisedWeights, threads: int) -> tuple[int, float]:
    """The `fu` with which the decoded pictures are nearest, and their mean squared error."""
    area = sum(p.area for p, _ in parts)
    best: tuple[float, int] | None = None
    for fu in range(2, 12):
        mse = 0.0
        try:
            for p, latents in parts:
                decoded = _native.overfit_render(
                    p.width, p.height, p.channels, p.maxval, fu, model.index,
                    list(w.k), w.params, latents, threads, p.side,
                )  # fmt: skip
                mse += p.mse(decoded) * p.area / area
        except ValueError:
            continue
        if best is None or mse < best[0]:
            best = (mse, fu)
    if best is None:
        raise RuntimeError("no format of the planes fits the weights of the synthesis")
    return best[1], best[0]
