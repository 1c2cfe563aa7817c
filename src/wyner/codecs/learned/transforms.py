"""The real transforms of a frozen codec, in PyTorch, part by part so that memory is bounded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ...errors import CorruptError
from ...nn.convs import conv
from ...nn.frozen import load_transform
from ...nn.learned import analysis, synthesis
from .latents import Tensors
from .model import Card
from .picture import tiles

Floats = npt.NDArray[np.float32]

TILE = 512
"""Pixels a side of what is transformed at once, without the margin around it."""
MARGIN = 4
"""Latents around a tile that its samples depend on: the transforms reach less than that."""


class Transforms:
    """g_a, g_s and h_a with their weights, on the CPU, in float32."""

    def __init__(self, card: Card, tensors: Tensors) -> None:
        """Raises CorruptError where weights are missing or do not fit."""
        self.step = card.latent_step
        self.g_a = analysis(card.widths, card.latents)
        self.g_s = synthesis(card.widths, card.latents)
        self.absolute = card.prior == "hyperprior"
        try:
            load_transform(self.g_a, tensors, "g_a.")
            load_transform(self.g_s, tensors, "g_s.")
            if card.has_z:
                m, n = card.latents, card.hyper
                self.h_a = nn.Sequential(conv(m, n, 3, 1), nn.ReLU(), conv(n, n), nn.ReLU(), conv(n, n))
                load_transform(self.h_a, tensors, "prior.h_a.")
        except RuntimeError as error:
            raise CorruptError(f"the model's file is damaged: {error}") from None

    @contextmanager
    def threads(self, count: int) -> Iterator[None]:
        """Let PyTorch have so many threads meanwhile."""
        before = torch.get_num_threads()
        torch.set_num_threads(count)
        try:
            yield
        finally:
            torch.set_num_threads(before)

    @torch.inference_mode()
    def analyse(self, picture: Callable[[slice, slice], Floats], height: int, width: int) -> Floats:
        """y (M, height / step, width / step).

        picture: gives a part (3, h, w), samples in 0..1, of a picture whose sides are multiples of the step.
        """
        step, found = self.step, None
        for rows, columns in tiles(height // step, width // step, TILE // step):
            wide = [_widened(part, size // step) for part, size in ((rows, height), (columns, width))]
            x = torch.from_numpy(picture(*(slice(s.start * step, s.stop * step) for s in wide)))
            y = self.g_a(x[None] - 0.5)[0].numpy()
            if found is None:
                found = np.empty((len(y), height // step, width // step), np.float32)
            found[:, rows, columns] = y[:, _inner(rows, wide[0]), _inner(columns, wide[1])]
        assert found is not None
        return found

    @torch.inference_mode()
    def hyper_analysis(self, y: Floats) -> Floats:
        """What z rounds: (N, h / 4, w / 4) of y (M, h, w)."""
        z: Tensor = self.h_a(torch.from_numpy(np.abs(y) if self.absolute else y)[None])
        return z[0].numpy()

    @torch.inference_mode()
    def synthesise(
        self, latents: Callable[[slice, slice], Floats], height: int, width: int
    ) -> Iterator[tuple[slice, slice, Floats]]:
        """Parts of the picture: rows, columns, and samples (3, h, w), about in 0..1.

        latents: gives a part of y_hat, (M, h, w), of a picture whose sides are multiples of the step.
        """
        step = self.step
        for rows, columns in tiles(height // step, width // step, TILE // step):
            wide = [_widened(part, size // step) for part, size in ((rows, height), (columns, width))]
            x_hat = self.g_s(torch.from_numpy(latents(*wide))[None])[0].numpy() + 0.5
            inner = [_scaled(_inner(part, w), step) for part, w in zip((rows, columns), wide, strict=True)]
            yield _scaled(rows, step), _scaled(columns, step), x_hat[:, inner[0], inner[1]]


def _widened(part: slice, size: int) -> slice:
    return slice(max(part.start - MARGIN, 0), min(part.stop + MARGIN, size))


def _inner(part: slice, wide: slice) -> slice:
    return slice(part.start - wide.start, part.stop - wide.start)


def _scaled(part: slice, step: int) -> slice:
    return slice(part.start * step, part.stop * step)
