"""The filters of ``refinement`` as they are shipped: numbers in a file, and a card that describes them."""

from __future__ import annotations

import functools
import hashlib
import json
from importlib import resources
from typing import Any

import numpy as np

from ...errors import CorruptError
from .refinement import CHROMA_TAPS, LUMA_TAPS, Alignment, Stage

NAME = "refinement"
_MOST_THRESHOLDS = 15


@functools.cache
def shipped() -> tuple[Stage, ...]:
    """The stages that the package comes with. Raises CorruptError if its files were altered."""
    folder = resources.files("wyner") / "weights"
    card = (folder / f"{NAME}.json").read_text(encoding="utf-8")
    return parse(card, (folder / f"{NAME}.bin").read_bytes())


def parse(card: str, data: bytes) -> tuple[Stage, ...]:
    """Stages of the JSON card that describes them and their coefficients, little-endian int16.

    Raises CorruptError if the two do not belong together or the card is not one.
    """
    try:
        described = json.loads(card)
        if hashlib.sha256(data).hexdigest() != described["sha256"]:
            raise CorruptError("the filters are not those that their card describes")
        sizes = [_stage(entry) for entry in described["stages"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CorruptError(f"the card of the filters is damaged: {error!r}") from None
    counts = [grades * classes * (LUMA_TAPS + CHROMA_TAPS) for _, grades, classes in sizes]
    if len(data) != 2 * sum(counts):
        raise CorruptError("the filters have not the size that their card says")
    values = np.frombuffer(data, "<i2").astype(np.int16)
    stages, start = [], 0
    for (settings, grades, number), count in zip(sizes, counts, strict=True):
        luma, chroma = np.split(values[start : start + count], [grades * number * LUMA_TAPS])
        shapes = (grades, number, LUMA_TAPS), (grades, number, CHROMA_TAPS)
        stages.append(Stage(*settings, luma.reshape(shapes[0]), chroma.reshape(shapes[1])))
        start += count
    return tuple(stages)


def serialise(stages: tuple[Stage, ...], about: dict[str, Any]) -> tuple[str, bytes]:
    """The card, with ``about`` in it, and the coefficients of stages."""
    data = b"".join(f.astype("<i2").tobytes() for stage in stages for f in (stage.luma, stage.chroma))
    entries = [
        {
            "alignments": [
                {"block_size": a.block_size, "blur": a.blur, "noise": a.noise} for a in stage.alignments
            ],
            "grades": list(stage.grades),
            "levels": [list(thresholds) for thresholds in stage.levels],
        }
        for stage in stages
    ]
    card = {**about, "sha256": hashlib.sha256(data).hexdigest(), "stages": entries}
    return json.dumps(card, indent=2) + "\n", data


_Settings = tuple[tuple[Alignment, ...], tuple[int, ...], tuple[tuple[int, ...], ...]]


def _stage(entry: Any) -> tuple[_Settings, int, int]:
    """Settings of a stage and how many grades and classes it has. Raises ValueError and its like."""
    alignments = tuple(
        Alignment(int(a["block_size"]), int(a["blur"]), float(a["noise"])) for a in entry["alignments"]
    )
    grades = tuple(int(threshold) for threshold in entry["grades"])
    levels = tuple(tuple(int(threshold) for threshold in thresholds) for thresholds in entry["levels"])
    if len(alignments) != 2 or len(levels) != 4 or any(len(t) > _MOST_THRESHOLDS for t in (grades, *levels)):
        raise ValueError("a stage has two alignments and four short lists of thresholds")
    if any(a.block_size not in (8, 16, 32) or not 0 <= a.blur <= 16 or not a.noise > 0 for a in alignments):
        raise ValueError("an alignment is out of range")
    number = 1
    for thresholds in levels:
        number *= len(thresholds) + 1
    return (alignments, grades, levels), len(grades) + 1, number
