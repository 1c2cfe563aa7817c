"""What a codec is given for a side picture: that of the pair, or a control that tells what it is worth.

right   the side picture of the pair
coded   the same, coded by this package at the same rate: what the decoder holds is the decoded one
wrong   the side picture of another pair of the list
none    a picture of one grey pixel: the same networks, and nothing to see
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .. import io
from ..errors import UsageError
from .codec import Codec, Pixels, Setting, SidePicture
from .records import Record, real_path

CONTROLS = ("right", "wrong", "coded", "none")


def control_of(setting: Setting) -> str:
    """Which of CONTROLS a setting asks for with its key ``side``."""
    return str(setting.get("side", CONTROLS[0]))


def make(codec: Codec, setting: Setting, side: Pixels | None, like: Pixels, threads: int) -> SidePicture:
    """What ``codec`` is given beside the picture ``like``, where the plan chose the side picture ``side``.

    setting: of the file that is made, its rate included. Bytes are those of a file of the side picture.
    Raises UsageError where the setting asks for a side picture and there is none, and for a codec that has no
    file for side pictures, and what it raises.
    """
    control = control_of(setting)
    if control == "none":
        return _blank(like.shape[2], 8 * like.dtype.itemsize)
    if side is None:
        raise UsageError(f"{codec.name} takes a side picture, and there is none")
    if control != "coded":
        return side
    if codec.code_side is None:
        raise UsageError(f"{codec.name} codes no side pictures")
    return codec.code_side(side, setting, threads)


def of_record(record: Record, run: Path) -> SidePicture | None:
    """What the codec of a record was given, to decode its file again. Raises OSError and UsageError."""
    if record.get("side_file"):
        return (run / record["side_file"]).read_bytes()
    if record.get("side_given") == "none":
        return _blank(record["channels"], record["bit_depth"])
    if record.get("side_path"):
        return io.read(str(real_path(record["side_path"], run))).pixels
    return None


def wrong_ones(pairs: Sequence[tuple[str, str]]) -> list[int | None]:
    """For each pair the number of another whose side picture is unlike both of its own.

    pairs: contents of picture and side picture. Half the list further on, as neighbours in a list are often
    neighbours in time, or the next after that; None where there is none.
    """
    count = len(pairs)
    chosen = []
    for number, own in enumerate(pairs):
        order = ((number + count // 2 + step) % count for step in range(count))
        chosen.append(next((other for other in order if pairs[other][1] not in own), None))
    return chosen


def _blank(channels: int, bit_depth: int) -> Pixels:
    return np.full((1, 1, channels), 1 << (bit_depth - 1), np.uint8 if bit_depth == 8 else np.uint16)
