"""From fitted integers to a payload: the fixed-point formats are chosen on the integer program itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ... import _native
from .model import Extras, Ints, Model
from .weights import QuantisedWeights

MAX_LATENT = 4095


@dataclass(frozen=True)
class Picture:
    """The picture being coded: pixels (H, W, C) uint8 or uint16.

    side: what is known from a side picture, if there is one. half_side: makes the same for half the size.
    side_gain: how much of the side picture the reconstruction begins with, 0..1.
    """

    pixels: npt.NDArray[np.generic]
    side: _native.SideInputs | None = None
    half_side: Callable[[], _native.SideInputs] | None = None
    side_gain: float = 1.0

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

    def mse(self, decoded: npt.NDArray[np.generic]) -> float:
        """Mean squared error of samples scaled to [0, 1]."""
        error = self.pixels.astype(np.float32) - decoded.astype(np.float32)
        return float(np.mean(np.square(error), dtype=np.float64)) / self.maxval**2


@dataclass(frozen=True)
class Coded:
    """A payload and what it decodes to: mean squared error in [0, 1] units."""

    payload: bytes
    mse: float


def round_latents(latents: list[npt.NDArray[np.float32]]) -> list[Ints]:
    """Latents rounded to integers that a file can hold."""
    return [np.floor(y + 0.5).clip(-MAX_LATENT, MAX_LATENT).astype(np.int32) for y in latents]


def _activation_bits(picture: Picture, model: Model, w: QuantisedWeights, latents: list[Ints]) -> int:
    """The `fa` with which the latents take fewest bits."""
    best: tuple[float, int] | None = None
    for fa in range(4, 12):
        try:
            _, bits = _native.overfit_bits(
                picture.width, picture.height, model.index, fa, 8, list(w.k), list(w.s), w.params, latents,
                picture.side,
            )  # fmt: skip
        except ValueError:  # a bound of section 6 does not hold
            continue
        if best is None or sum(bits) < best[0]:
            best = (sum(bits), fa)
    if best is None:
        raise RuntimeError("no activation format fits the weights of the ARM")
    return best[1]


def _plane_bits(
    picture: Picture, model: Model, w: QuantisedWeights, latents: list[Ints], threads: int
) -> tuple[int, float]:
    """The `fu` with which the decoded picture is nearest, and its mean squared error."""
    best: tuple[float, int] | None = None
    for fu in range(2, 12):
        try:
            decoded = _native.overfit_render(
                picture.width, picture.height, picture.channels, picture.maxval, fu, model.index,
                list(w.k), w.params, latents, threads, picture.side,
            )  # fmt: skip
        except ValueError:
            continue
        mse = picture.mse(decoded)
        if best is None or mse < best[0]:
            best = (mse, fu)
    if best is None:
        raise RuntimeError("no format of the planes fits the weights of the synthesis")
    return best[1], best[0]


def code(picture: Picture, model: Model, w: QuantisedWeights, latents: list[Ints], threads: int) -> Coded:
    """Write the payload with the best fixed-point formats."""
    fa = _activation_bits(picture, model, w, latents)
    fu, mse = _plane_bits(picture, model, w, latents, threads)
    payload = _native.overfit_encode(
        picture.width, picture.height, model.index, fa, fu, list(w.k), list(w.s), w.params, latents,
        picture.side,
    )  # fmt: skip
    return Coded(payload, mse)
