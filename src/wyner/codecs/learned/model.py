"""A frozen codec (docs/spec/learned.md, section 2): its file, its latents, its transforms."""

from __future__ import annotations

import functools
import hashlib
import json
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import CorruptError, UnavailableError
from ...nn import safetensors
from ...nn.rates import LEVELS
from .latents import ONE, ChannelMoments, DensityCurves, HyperMoments, Integers, TableLatents, Tensors

HASH_BYTES = 8
_HYPER = ("hyperprior", "mean-scale")


def content_hash(data: bytes) -> bytes:
    """By what a file names its model: the first 8 bytes of SHA-256 of the model's file."""
    return hashlib.sha256(data).digest()[:HASH_BYTES]


@dataclass(frozen=True)
class Card:
    """What a model's file tells of it.

    prior, widths, latents, hyper: as of ``wyner.nn.learned.ModelConfig``. about: how it was trained.
    """

    prior: str
    widths: tuple[int, ...]
    latents: int
    hyper: int
    about: dict[str, Any]

    @property
    def latent_step(self) -> int:
        """Pixels from one sample of y to the next."""
        return 2 ** (len(self.widths) + 1)

    @property
    def has_z(self) -> bool:
        return self.prior in _HYPER

    @property
    def multiple(self) -> int:
        """What the sides of a coded picture are multiples of."""
        return self.latent_step * (4 if self.has_z else 1)

    def macs_per_pixel(self) -> float:
        """Multiply-accumulates of g_s and h_s for a pixel."""
        sizes = (self.latents, *reversed(self.widths), 3)
        total, area = 0.0, float(self.latent_step**2)
        for inputs, outputs in pairwise(sizes):
            total += 25 * inputs * outputs / area
            area /= 4
        total += sum(width**2 / 4**k for k, width in enumerate(self.widths, 1))
        if self.has_z:
            y, n = self.latent_step**2, self.hyper
            means = 2 if self.prior == "mean-scale" else 1
            total += 25 * n * n * (1 / (4 * y) + 1 / y) + 9 * n * means * self.latents / y
        return total


class Model:
    """A codec from its file."""

    def __init__(self, data: bytes) -> None:
        """Raises CorruptError for what is not the file of a codec."""
        self.digest = content_hash(data)
        self.tensors, metadata = safetensors.read(data)
        try:
            self.fields: dict[str, Any] = json.loads(metadata["card"])
            card = self.fields
            self.card = Card(
                str(card["prior"]),
                tuple(int(width) for width in card["widths"]),
                int(card["latents"]),
                int(card["hyper"]),
                dict(card["about"]),
            )
            self.gain, self.inverse = (self._per_level(name) for name in ("gain", "inverse"))
            self._prior = self._make_prior()
        except (KeyError, ValueError, TypeError) as error:
            raise CorruptError(f"the model's file is damaged: {error!r}") from None

    @functools.cached_property
    def transforms(self) -> Any:
        """g_a, g_s and h_a. Raises UnavailableError without PyTorch."""
        try:
            from .transforms import Transforms
        except ImportError:
            raise UnavailableError("learned codecs need PyTorch: pip install 'wyner[torch]'") from None
        return Transforms(self.card, self.tensors)

    def encode_tile(self, y: npt.NDArray[np.float32], level: int) -> tuple[bytes, Integers]:
        """y (M, h, w) of a tile at a level: its bytes, and its latents in 1/256 steps of quantisation.

        h and w: multiples of 4 where there is z.
        """
        scaled = y * self.gain[level][:, None, None]
        if isinstance(self._prior, DensityCurves):
            tables = self._prior.at(level)
            symbols = tables.quantise(scaled)
            return tables.encode(symbols), symbols * ONE
        if isinstance(self._prior, ChannelMoments):
            moments, start = self._prior.at(level, *y.shape[1:]), b""
        else:
            z = self._z_tables.quantise(self.transforms.hyper_analysis(y))
            moments, start = self._prior.at(level, z), self._z_tables.encode(z)
        symbols = moments.quantise(scaled)
        return start + moments.encode(symbols), moments.values(symbols)

    def decode_tile(
        self, data: memoryview, at: int, level: int, height: int, width: int
    ) -> tuple[Integers, int]:
        """Latents (M, height, width) in 1/256 steps, and where their bytes end. Raises CorruptError."""
        if isinstance(self._prior, DensityCurves):
            tables = self._prior.at(level)
            symbols, at = tables.decode(data, at, (self.card.latents, height, width))
            return symbols * ONE, at
        if isinstance(self._prior, ChannelMoments):
            moments = self._prior.at(level, height, width)
        else:
            z, at = self._z_tables.decode(data, at, (self.card.hyper, height // 4, width // 4))
            moments = self._prior.at(level, z)
        symbols, at = moments.decode(data, at)
        return moments.values(symbols), at

    def _per_level(self, name: str) -> npt.NDArray[np.float32]:
        values: npt.NDArray[np.float32] = self.tensors[name].astype(np.float32)
        if values.shape != (LEVELS, self.card.latents):
            raise ValueError(f"{name} of another shape")
        return values

    def _make_prior(self) -> DensityCurves | ChannelMoments | HyperMoments:
        tensors: Tensors = self.tensors
        if self.card.prior == "factorised":
            return DensityCurves(tensors)
        if self.card.prior == "gaussian":
            return ChannelMoments(tensors)
        if not self.card.has_z:
            raise ValueError(f"a prior called {self.card.prior}")
        self._z_tables = TableLatents(tensors["z.cdfs"], tensors["z.low"])
        return HyperMoments(tensors, self.card.latents)
