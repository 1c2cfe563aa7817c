"""The lossless codec (docs/spec/lossless.md): the same samples back, on every machine.

Photographs are coded with a shipped network of integers that says how likely each value of each sample is,
given those before it; pictures that people or programs drew by what repeats in them; and where neither helps,
noise above all, each plane by itself. All are tried unless the second does very well. At effort 9 and above
the network is fitted to the picture before, and what that changes of it is part of the file if it pays.
"""

from __future__ import annotations

import itertools
import math
import time

import numpy as np
import numpy.typing as npt

from ... import _native
from ...errors import CorruptError, UnsupportedError
from ..base import Pixels, Progress, ProgressCallback, Settings
from . import adaptation, model

CODEC_ID = 3
VERSION = 1
TAKES_SIDE = False
OPTIONS: tuple[str, ...] = ()
EXACT_PIXELS = True
LOSSLESS = True
SIDE_AT_DECODER = False

NETWORK, SCREEN, UPDATED, PLANES = 0, 1, 2, 3
"""The first byte of a payload: how the picture is coded."""
PLAINLY_DRAWN = 0.25
"""Bits per sample below which nothing else is tried: few of what it could save remain."""
SAMPLE_MACS = 100.0
"""Multiply-accumulates that take as long as a sample coded without the network."""
SIZE_BYTES = 4


def encode(pixels: Pixels, settings: Settings, progress: ProgressCallback | None = None) -> bytes:
    """Code ``pixels``, (H, W, C) uint8 or uint16 with C in {1, 3}, into a payload.

    Of ``settings`` the threads matter, and whether the effort is 9 or 10: these fit the network to 8-bit
    pictures of 32768 pixels and more. Raises LimitError for more than 2^20 columns or rows, whatever
    ``progress`` raises, and UnavailableError if there is to be a fit and PyTorch is not there.
    """
    maxval = int(np.iinfo(pixels.dtype).max)
    samples = np.ascontiguousarray(pixels, np.uint16)
    steps = adaptation.steps_of(settings.effort) if adaptation.fits(pixels) else 0
    drawn = bytes([SCREEN]) + _native.screen_encode(samples, maxval)
    if 8 * len(drawn) < PLAINLY_DRAWN * pixels.size:
        return drawn
    network = model.shipped()
    head = bytes([NETWORK]) + network.name
    coded = head + network.native.encode(samples, maxval, settings.threads, _reporter(progress))
    found = [coded, drawn, bytes([PLANES]) + _encode_planes(samples, maxval)]
    if steps and coded is min(found, key=len):
        update = adaptation.fit(network, pixels, steps, progress)
        found += _encode_updated(network, update, samples, maxval, settings.threads, _reporter(progress))
    return min(found, key=len)


def _encode_updated(
    network: model.Network,
    update: bytes,
    samples: npt.NDArray[np.uint16],
    maxval: int,
    threads: int,
    report: model.Report | None,
) -> list[bytes]:
    """The payload of method 2, or none if the update makes no network that may be."""
    try:
        native = network.updated(update)
    except CorruptError:
        return []
    size = len(update).to_bytes(SIZE_BYTES, "big")
    data = native.encode(samples, maxval, threads, report)
    return [bytes([UPDATED]) + network.name + size + update + data]


def decode(
    payload: bytes, width: int, height: int, channels: int, maxval: int, threads: int = 1
) -> npt.NDArray[np.generic]:
    """Decode a payload to (height, width, channels), uint8 for maxval 255 and uint16 for 65535.

    Raises CorruptError, or UnsupportedError if the payload names another network.
    """
    method, rest = _method(payload)
    if method == SCREEN:
        samples = _native.screen_decode(rest, width, height, channels, maxval)
    elif method == PLANES:
        planes = [_native.plane_decode(part, width, height, maxval) for part in _plane_parts(rest, channels)]
        samples = np.stack(planes, -1)
    else:
        native, data = _network(rest).native, rest[model.NAME_BYTES :]
        if method == UPDATED:
            update, data = _update_parts(data)
            native = _network(rest).updated(update)
        samples = native.decode(data, width, height, channels, maxval, threads)
    decoded: npt.NDArray[np.generic] = samples.astype(np.uint8 if maxval == 255 else np.uint16)
    return decoded


def macs_per_pixel(payload: bytes) -> float:
    """Multiply-accumulates per pixel of decoding, from the payload's first bytes. Raises as ``decode``."""
    method, rest = _method(payload)
    if method not in (NETWORK, UPDATED):
        return 3 * SAMPLE_MACS
    macs: float = _network(rest).native.macs_per_pixel
    return macs


def _encode_planes(samples: npt.NDArray[np.uint16], maxval: int) -> bytes:
    """Each plane by the plane coder, after the sizes of all but the last."""
    kind = np.uint8 if maxval == 255 else np.uint16
    planes = np.ascontiguousarray(samples.astype(kind).transpose(2, 0, 1))
    parts = [_native.plane_encode(plane) for plane in planes]
    sizes = [len(part).to_bytes(SIZE_BYTES, "big") for part in parts[:-1]]
    return b"".join([*sizes, *parts])


def _plane_parts(data: bytes, channels: int) -> list[bytes]:
    """The data of each plane. Raises CorruptError."""
    start = SIZE_BYTES * (channels - 1)
    sizes = [int.from_bytes(data[i : i + SIZE_BYTES], "big") for i in range(0, start, SIZE_BYTES)]
    if start + sum(sizes) > len(data):
        raise CorruptError("the planes are longer than the payload")
    edges = [start, *(start + sum(sizes[: i + 1]) for i in range(len(sizes))), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]


def _update_parts(rest: bytes) -> tuple[bytes, bytes]:
    """What follows the name in method 2: the update, and the data. Raises CorruptError."""
    end = SIZE_BYTES + int.from_bytes(rest[:SIZE_BYTES], "big")
    if len(rest) < max(end, SIZE_BYTES):
        raise CorruptError("the payload ends before the end of its update")
    return rest[SIZE_BYTES:end], rest[end:]


def _method(payload: bytes) -> tuple[int, bytes]:
    if not payload:
        raise CorruptError("the payload is empty")
    if payload[0] not in (NETWORK, SCREEN, UPDATED, PLANES):
        raise CorruptError(f"no method of the lossless codec has the number {payload[0]}")
    return payload[0], payload[1:]


def _network(rest: bytes) -> model.Network:
    name = rest[: model.NAME_BYTES]
    if len(name) < model.NAME_BYTES:
        raise CorruptError("the payload ends before the name of its network")
    network = model.shipped()
    if network.name != name:
        raise UnsupportedError(
            f"the file needs the network {name.hex()}; this version of wyner has {network.name.hex()}"
        )
    return network


def _reporter(progress: ProgressCallback | None) -> model.Report | None:
    if progress is None:
        return None
    begun = time.monotonic()

    def report(done: float) -> None:
        """Called with the part of the samples that is coded, above 0 and at most 1."""
        eta_s = (time.monotonic() - begun) * (1 / done - 1)
        progress(Progress(round(100 * done), 100, math.nan, math.inf, eta_s, "code"))

    return report
