"""The overfitted codec with one set of networks for several pictures (docs/spec/shared.md).

    pictures --> fit --+--> networks, once
                       '--> latents, of each picture --+
    networks -------------------------------------------+--> picture

Frames, tiles, icons and scans are alike in what a decoder has to know of them; a set pays for it once. Any
picture is decoded from the networks and its own latents alone, and one can be added without any change to the
others. This is the codec ``overfit`` but for who shares what.
"""

from __future__ import annotations

from collections.abc import Sequence

from ... import _native
from ..base import Pixels, ProgressCallback, Settings
from ..overfit.fit import fit_and_code
from ..overfit.model import payload_macs_per_pixel
from ..overfit.stream import Picture
from .subjects import Addition, PictureSet, read_networks

CODEC_ID = 6
VERSION = 1
NAME = "shared"


def encode(
    pictures: Sequence[Pixels], settings: Settings, progress: ProgressCallback | None = None
) -> tuple[bytes, list[bytes]]:
    """Fit one set of networks, and latents for each picture; return the networks and a payload for each.

    pictures: at least one; each (H, W, C) uint8 or uint16 with C in {1, 3}, of its own size. The loss is the
    mean over all pixels, so that a quality means what it means for one picture. Targets in ``settings`` are
    for all pictures together. The same pictures, settings and instruction set give the same bytes for any
    number of threads. Raises FloatingPointError if the fit diverges, and whatever ``progress`` raises.
    """
    coded = fit_and_code(PictureSet(tuple(map(Picture, pictures))), settings, progress)
    return coded.payloads[0], list(coded.payloads[1:])


def encode_more(
    networks: bytes, pixels: Pixels, settings: Settings, progress: ProgressCallback | None = None
) -> bytes:
    """The payload of one more picture under networks that stay as they are. Otherwise as ``encode``.

    Raises CorruptError or UnsupportedError if the networks cannot be read.
    """
    return fit_and_code(Addition(Picture(pixels), networks), settings, progress).payloads[0]


def check(networks: bytes) -> None:
    """Raise CorruptError or UnsupportedError if networks cannot be read."""
    read_networks(networks)


def decode(
    networks: bytes, payload: bytes, width: int, height: int, channels: int, maxval: int, threads: int = 1
) -> Pixels:
    """Decode a picture to (height, width, channels), uint8 for maxval 255 and uint16 for 65535.

    Raises CorruptError or UnsupportedError.
    """
    decoded: Pixels = _native.set_decode(networks, payload, width, height, channels, maxval, threads)
    return decoded


def macs_per_pixel(networks: bytes) -> float:
    """Multiply-accumulates per pixel of decoding any picture, from the first bytes of the networks."""
    return payload_macs_per_pixel(networks)
