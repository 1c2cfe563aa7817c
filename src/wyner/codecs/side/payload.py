"""The head of a payload: what is seen of the side picture, and its field (docs/spec/side.md, section 5)."""

from __future__ import annotations

from dataclasses import dataclass

from ...container import parse_varint, varint
from ...errors import CorruptError, UnsupportedError
from ..base import SIDE_MODES

CHECK_BYTES = 4


@dataclass(frozen=True)
class Head:
    """mode: one of SIDE_MODES. field: the coded field; in mode "latents" a check of the side's payload."""

    mode: str
    field: bytes


def write(head: Head) -> bytes:
    """Serialise; the inverse of ``parse``."""
    length = b"" if head.mode == "latents" else varint(len(head.field))
    return bytes([SIDE_MODES.index(head.mode)]) + length + head.field


def parse(payload: bytes) -> tuple[Head, bytes]:
    """The head of a payload, and what follows it. Raises CorruptError or UnsupportedError."""
    if not payload:
        raise CorruptError("the payload is empty")
    if payload[0] >= len(SIDE_MODES):
        raise UnsupportedError(f"the payload has side mode {payload[0]}, which is not known")
    mode, start, size = SIDE_MODES[payload[0]], 1, CHECK_BYTES
    if mode != "latents":
        size, start = parse_varint(memoryview(payload), 1)
    if size > len(payload) - start:
        raise CorruptError("the payload is truncated")
    return Head(mode, payload[start : start + size]), payload[start + size :]
