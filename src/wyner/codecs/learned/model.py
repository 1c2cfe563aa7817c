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
from ...nn.sizes import Sizes
from .latents import ONE, ChannelMoments, DensityCurves, HyperMoments, Integers, TableLatents, Tensors

HASH_BYTES = 8
DAMAGE = (ValueError, TypeError, LookupError, ArithmeticError, RecursionError)
"""What may be raised by a card that is none."""


def content_hash(data: bytes) -> bytes:
    """By what a file names its model: the first 8 bytes of SHA-256 of the model's file."""
    return hashlib.sha256(data).digest()[:HASH_BYTES]


@dataclass(frozen=True)
class Card(Sizes):
    """What a model's file tells of it.

    prior, widths, latents, hyper: see ``Sizes``. about: how it was trained. Raises UsageError for another
    prior and for sizes that are none.
    """

    prior: str
    widths: tuple[int, ...]
    latents: int
    hyper: int
    about: dict[str, Any]

    def __post_init__(self) -> None:
        self.check_sizes()

    @classmethod
    def of(cls, fields: dict[str, Any]) -> Card:
        """From a file's own. Raises ValueError, TypeError, LookupError and ArithmeticError."""
        widths = tuple(int(width) for width in fields["widths"])
        latents, hyper = (int(fields[name]) for name in ("latents", "hyper"))
        return cls(str(fields["prior"]), widths, latents, hyper, dict(fields["about"]))

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


Layout = dict[str, tuple[str, tuple[int, ...]]]
"""Tensors by name: dtype, and shape, with ANY for a length that the file is free to choose."""
ANY = -1


def entropy_tensors(card: Card) -> Layout:
    """Those that symbols of a file are read by, and the gains: only integers decide what is read."""
    m, n = card.latents, card.hyper
    levels = (LEVELS, m)
    found: Layout = {"gain": ("<f2", levels), "inverse": ("<f2", levels)}
    if card.prior == "factorised":
        return found | {"y.curve": ("<i4", (m, ANY)), "y.zero": ("<i8", (m,)), "y.step": ("<i8", levels)}
    if card.prior == "gaussian":
        return found | {"y.location": ("<i4", levels), "y.scale": ("|u1", levels)}
    found |= {"log2_gain": ("<i2", levels), "integer_gain": ("<i4", levels)}
    found |= {"z.cdfs": ("<i4", (n, ANY)), "z.low": ("<i4", (n,))}
    outputs = 2 * m if card.prior == "mean-scale" else m
    for k, shape in enumerate([(n, n, 5, 5), (n, n, 5, 5), (outputs, n, 3, 3)]):
        found |= {f"h_s.{k}.weight": ("<i2", shape), f"h_s.{k}.bias": ("<i8", shape[:1])}
        found[f"h_s.{k}.shift"] = ("<i4", ())
    return found


def filters(card: Card) -> Layout:
    """Those of g_a: a file that has them has as much as any transform of these sizes takes."""
    sizes = enumerate(pairwise((3, *card.widths, card.latents)))
    return {f"g_a.{2 * k}.weight": ("<f2", (outputs, inputs, 5, 5)) for k, (inputs, outputs) in sizes}


class Model:
    """A codec from its file."""

    def __init__(self, data: bytes) -> None:
        """Raises CorruptError for what is not the file of a codec."""
        self.digest = content_hash(data)
        self.tensors, metadata = safetensors.read(data)
        try:
            self.fields: dict[str, Any] = json.loads(metadata["card"])
            self.card = Card.of(self.fields)
            self._check_tensors()
        except DAMAGE as error:
            raise CorruptError(f"the model's file is damaged: {error!r}") from None
        self.gain, self.inverse = (self.tensors[name].astype(np.float32) for name in ("gain", "inverse"))
        self._prior = self._make_prior()

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

    def _check_tensors(self) -> None:
        """Raises ValueError or KeyError for tensors that are not as the card says."""
        for name, (dtype, shape) in {**entropy_tensors(self.card), **filters(self.card)}.items():
            tensor = self.tensors[name]
            known = len(shape) == tensor.ndim and all(
                side in (ANY, size) for side, size in zip(shape, tensor.shape, strict=True)
            )
            if not known or tensor.dtype != np.dtype(dtype) or 0 in tensor.shape:
                raise ValueError(f"{name} of another shape or type")
        if not all(np.all(np.isfinite(self.tensors[name])) for name in ("gain", "inverse")):
            raise ValueError("gains that are not finite")

    def _make_prior(self) -> DensityCurves | ChannelMoments | HyperMoments:
        tensors: Tensors = self.tensors
        if self.card.prior == "factorised":
            return DensityCurves(tensors)
        if self.card.prior == "gaussian":
            return ChannelMoments(tensors)
        self._z_tables = TableLatents(tensors["z.cdfs"], tensors["z.low"])
        return HyperMoments(tensors, self.card.latents)
