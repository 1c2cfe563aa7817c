"""Entropy coding of arrays of integers, each with a distribution of its own (docs/spec/coder.md).

    model = coder.Parametric.nearest("logistic", location, scale, 0, 255)
    data = coder.encode(symbols, model, streams=4, threads=2)
    symbols = coder.decode(data, model, threads=2)

Models hold integers only, so that data decodes alike on every machine; the decoder must be given the very
integers that the encoder used. ``nearest`` rounds locations and scales that are real numbers; a decoder that
computes such numbers itself has to compute them exactly alike.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from . import _native
from .errors import UsageError

Integers: TypeAlias = npt.NDArray[np.int32]

KINDS = ("logistic", "laplace", "gaussian")
LOCATION_STEPS = 256
"""Steps of a location between one symbol and the next."""
WEIGHT_SUM = 65536
"""Sum of the weights of a mixture."""
MAX_STREAMS = 65536


@dataclass(frozen=True, eq=False)
class Tables:
    """Distributions as tables: symbol i of the array has the probabilities of row ``index[i]``.

    cdfs: integers (K, M + 1), rows of cumulative counts that rise strictly from 0 to 65536, for the symbols
    0..M-1. index: integers in 0..K-1, of the shape of the symbols.

    Raises UsageError for wrong shapes or types and for values that are out of range.
    """

    cdfs: npt.ArrayLike
    index: npt.ArrayLike
    shape: tuple[int, ...] = field(init=False)
    _coder: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        cdfs = _integers(self.cdfs, np.uint32, "cdfs").copy()
        index = _integers(self.index, np.int32, "index").copy()
        if cdfs.ndim != 2:
            raise UsageError(f"cdfs must have two dimensions, not {cdfs.ndim}")
        _bind(self, index.shape, _native.CoderTables(cdfs, index.ravel()), cdfs=cdfs, index=index)


@dataclass(frozen=True, eq=False)
class Parametric:
    """One logistic, Laplace or Gaussian distribution for each symbol, over low..high.

    kind: of ``KINDS``. location: integers, the centre in 1/256 of a symbol, -2^25..2^25.
    scale: integers in 0..255, for 2^((scale - 72) / 16) symbols, 0.044 to 2774: the s of a logistic, the b of
    a Laplace distribution, the standard deviation of a Gaussian.
    Both arrays broadcast to the shape of the symbols.
    low, high: least and greatest symbol, in -65536..65535, at most 65536 values.

    Raises UsageError for wrong shapes or types and for values that are out of range.
    """

    kind: str
    location: npt.ArrayLike
    scale: npt.ArrayLike
    low: int
    high: int
    shape: tuple[int, ...] = field(init=False)
    _coder: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UsageError(f"kind must be one of {', '.join(KINDS)}, not {self.kind!r}")
        location, scale = _together(location=(self.location, np.int32), scale=(self.scale, np.uint8))
        low, high = _alphabet(self.low, self.high)
        coder = _native.CoderParametric(KINDS.index(self.kind), location.ravel(), scale.ravel(), low, high)
        _bind(self, location.shape, coder, location=location, scale=scale)

    @classmethod
    def nearest(
        cls, kind: str, location: npt.ArrayLike, scale: npt.ArrayLike, low: int, high: int
    ) -> Parametric:
        """The model nearest to real locations and scales > 0, both in symbols."""
        return cls(kind, location_steps(location), scale_index(scale), low, high)


@dataclass(frozen=True, eq=False)
class LogisticMixture:
    """A mixture of K logistic distributions, K in 1..5, for each symbol, over low..high.

    weight: integers >= 0, shape (..., K), whose sum over the last axis is 65536. location, scale, low, high:
    as of ``Parametric``. The arrays broadcast to one shape, which is that of the symbols and an axis more.

    Raises UsageError for wrong shapes or types and for values that are out of range.
    """

    weight: npt.ArrayLike
    location: npt.ArrayLike
    scale: npt.ArrayLike
    low: int
    high: int
    shape: tuple[int, ...] = field(init=False)
    _coder: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        weight, location, scale = _together(
            weight=(self.weight, np.int32), location=(self.location, np.int32), scale=(self.scale, np.uint8)
        )
        components = weight.shape[-1] if weight.ndim else 0
        if components == 0:
            raise UsageError("the parameters of a mixture need an axis of components")
        rows = [a.reshape(-1, components) for a in (weight, location, scale)]
        coder = _native.CoderMixture(*rows, *_alphabet(self.low, self.high))
        _bind(self, weight.shape[:-1], coder, weight=weight, location=location, scale=scale)

    @classmethod
    def nearest(
        cls, weight: npt.ArrayLike, location: npt.ArrayLike, scale: npt.ArrayLike, low: int, high: int
    ) -> LogisticMixture:
        """The model nearest to real locations and scales, in symbols, and to weights with a sum > 0."""
        return cls(weight_counts(weight), location_steps(location), scale_index(scale), low, high)


Model: TypeAlias = Tables | Parametric | LogisticMixture


def encode(symbols: npt.ArrayLike, model: Model, *, streams: int = 1, threads: int = 1) -> bytes:
    """Code integer symbols, of the shape of the model.

    streams: parts that can be coded at once, 1..65536 and at most one a symbol; each costs a few bytes.
    threads: >= 1; never changes the result.

    Raises UsageError for symbols outside the model and for settings that are out of range.
    """
    if not 1 <= streams <= MAX_STREAMS:
        raise UsageError(f"streams must be in 1..{MAX_STREAMS}")
    data: bytes = model._coder.encode(_symbols(symbols, model), streams, _threads(threads))
    return data


def decode(data: bytes, model: Model, *, threads: int = 1) -> Integers:
    """The symbols, int32, of the shape of the model.

    Raises CorruptError for data that ends too early and the like; other damage gives other symbols.
    """
    symbols: Integers = model._coder.decode(data, _threads(threads))
    return symbols.reshape(model.shape)


def ideal_bits(symbols: npt.ArrayLike, model: Model) -> float:
    """Ideal code length of the symbols, the sum of -log2 of their probabilities. Raises as ``encode``."""
    bits: float = model._coder.bits(_symbols(symbols, model))
    return bits


# --- from real numbers to the integers of the models --------------------------------------------


def location_steps(location: npt.ArrayLike) -> Integers:
    """Real locations in symbols to the nearest integers of ``Parametric``, at most 131072 symbols from 0."""
    steps = np.rint(np.asarray(location, np.float64) * LOCATION_STEPS)
    return np.clip(_finite(steps, "location"), -(2**25), 2**25).astype(np.int32)


def scale_index(scale: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    """Real scales > 0 in symbols to the nearest, in their logarithm, of the 256 scales of ``Parametric``."""
    values = _finite(np.asarray(scale, np.float64), "scale")
    if np.any(values <= 0):
        raise UsageError("a scale must be > 0")
    index: npt.NDArray[np.uint8] = np.clip(np.rint(16 * np.log2(values)) + 72, 0, 255).astype(np.uint8)
    return index


def weight_counts(weight: npt.ArrayLike) -> Integers:
    """Real weights >= 0, shape (..., K), to integers in proportion whose sum over the last axis is 65536."""
    values = _finite(np.asarray(weight, np.float64), "weight")
    total = values.sum(axis=-1, keepdims=True)
    if np.any(values < 0) or np.any(total <= 0):
        raise UsageError("weights must be >= 0, and one of each mixture > 0")
    # Rounded cumulative weights: their differences sum to 65536 and are each within 1 of what they should be.
    edges = np.rint(np.cumsum(values, axis=-1) / total * WEIGHT_SUM).astype(np.int32)
    edges[..., -1] = WEIGHT_SUM
    counts: Integers = np.diff(edges, axis=-1, prepend=np.int32(0))
    return counts


# --- arguments ----------------------------------------------------------------------------------


def _bind(model: Model, shape: tuple[int, ...], coder: Any, **arrays: npt.NDArray[Any]) -> None:
    """Set what a frozen model derives from its arguments; its arrays become those that the coder reads."""
    for array in arrays.values():
        array.setflags(write=False)
    for name, value in {"shape": shape, "_coder": coder, **arrays}.items():
        object.__setattr__(model, name, value)


def _integers(values: npt.ArrayLike, dtype: Any, name: str) -> npt.NDArray[Any]:
    """C-contiguous, as an integer type; UsageError if these are not integers or do not fit."""
    array = np.asarray(values)
    if np.can_cast(array.dtype, dtype):
        return np.asarray(array, dtype, order="C")
    if array.dtype.kind not in "iu" and array.size:
        raise UsageError(f"{name} must be integers, not {array.dtype}")
    info = np.iinfo(dtype)
    if array.size and (array.min() < info.min or array.max() > info.max):
        raise UsageError(f"{name} must be in {info.min}..{info.max}")
    return np.asarray(array, dtype, order="C")


def _together(**arguments: tuple[npt.ArrayLike, Any]) -> list[npt.NDArray[Any]]:
    """The arguments, (values, dtype) each, as integers of one shape."""
    arrays = [_integers(values, dtype, name) for name, (values, dtype) in arguments.items()]
    try:
        return [np.array(array, order="C") for array in np.broadcast_arrays(*arrays)]
    except ValueError:
        raise UsageError(f"the shapes of {', '.join(arguments)} do not fit together") from None


def _alphabet(low: int, high: int) -> tuple[int, int]:
    if not -65536 <= low <= high <= 65535:
        raise UsageError("low <= high must both be in -65536..65535")
    return low, high


def _symbols(symbols: npt.ArrayLike, model: Model) -> Integers:
    array = _integers(symbols, np.int32, "symbols")
    if array.shape != model.shape:
        raise UsageError(f"the symbols have the shape {array.shape}, the model {model.shape}")
    return array.ravel()


def _threads(threads: int) -> int:
    if threads < 1:
        raise UsageError("threads must be >= 1")
    return min(threads, 64)


def _finite(values: npt.NDArray[np.float64], name: str) -> npt.NDArray[np.float64]:
    if not np.all(np.isfinite(values)):
        raise UsageError(f"each {name} must be finite")
    return values
