"""Payloads that were made with a side picture (docs/spec/side.md, section 5, and with it all of it)."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wyner.container import parse_varint
from wyner.errors import CorruptError, SideImageError, UnsupportedError
from wyner.reference.arithmetic import IntArray
from wyner.reference.latents import decode_latents
from wyner.reference.network import decode_network
from wyner.reference.range_decoder import RangeDecoder
from wyner.reference.side import decode_with_side, side_of_latents, side_of_picture
from wyner.reference.side_field import decode_field, warp

FULL, ARM, LATENTS = range(3)
CHECK_BYTES = 4


def decode_side(
    payload: bytes,
    width: int,
    height: int,
    channels: int,
    maxval: int,
    y: NDArray[Any],
    y_payload: bytes | None = None,
) -> NDArray[np.generic]:
    """Decode a `side` payload.

    Args:
        payload: the coded bytes, without the container header.
        width, height, channels, maxval: of the picture, as ``decode_overfit`` takes them.
        y: the side picture, (H, W, C) uint8 or uint16, C in {1, 3}.
        y_payload: that of its file of the codec `overfit`, if it came as one.

    Returns: as ``decode_overfit``.

    Raises:
        SideImageError: in mode 2, the payload is of the file of another side picture.
        CorruptError, UnsupportedError, UsageError: as ``decode_overfit``.
    """
    if not payload:
        raise CorruptError("side: empty payload")
    mode = payload[0]
    if mode == LATENTS:
        check, data = payload[1 : 1 + CHECK_BYTES], payload[1 + CHECK_BYTES :]
        side = side_of_latents(_latents(check, y_payload, y.shape[1], y.shape[0]), width, height)
    elif mode in (FULL, ARM):
        length, start = parse_varint(memoryview(payload), 1)
        if length > len(payload) - start:
            raise CorruptError("side: field past the end")
        field, data = decode_field(payload[start : start + length], width, height), payload[start + length :]
        side = side_of_picture(*warp(y, field, width, height, channels, maxval), mode == FULL)
    else:
        raise UnsupportedError("side: unknown mode")
    return decode_with_side(data, width, height, channels, maxval, side)


def _latents(check: bytes, payload: bytes | None, width: int, height: int) -> list[IntArray]:
    """The latents of the side picture's own file."""
    if len(check) < CHECK_BYTES:
        raise CorruptError("side: check past the end")
    if payload is None or zlib.crc32(payload).to_bytes(CHECK_BYTES, "big") != check:
        raise SideImageError("side: not the file of this side picture")
    decoder = RangeDecoder(payload)
    return decode_latents(decoder, decode_network(decoder), width, height)
