"""Damage to files that were made with a side picture, and to the side picture: two hundred random cases each.

A file either decodes to a picture of its size or ends in an error of ours; no change of the side picture is
ever missed.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from skimage import data

pytest.importorskip("wyner._native", reason="the native extension is not built")

from damage import damaged

import wyner
from wyner import container

CASES = 200
PHOTO = np.ascontiguousarray(data.astronaut()[60:100, 160:216])
DEEP = PHOTO[:, :, :1].astype(np.uint16) * 257
SIDE_FILE = wyner.encode(PHOTO[:, ::-1], quality=50, effort=1)
SIDES: dict[str, Any] = {"full": np.roll(PHOTO, 3, 1), "arm": np.roll(DEEP, 3, 1), "latents": SIDE_FILE}
PICTURES = {"full": PHOTO, "arm": DEEP, "latents": PHOTO}


def made(mode: str) -> bytes:
    options = {"side_mode": mode}
    return wyner.encode(PICTURES[mode], side=SIDES[mode], codec="side", quality=60, effort=1, options=options)


FILES = {mode: made(mode) for mode in SIDES}
each_mode = pytest.mark.parametrize("mode", SIDES)


def outcome(file: bytes, mode: str) -> str:
    """ "picture", or the name of our error; any other exception goes through."""
    try:
        image = wyner.decode(file, side=SIDES[mode], threads=1)
    except wyner.WynerError as error:
        return type(error).__name__
    assert image.pixels.shape == PICTURES[mode].shape and image.pixels.dtype == PICTURES[mode].dtype
    return "picture"


def outcomes(mode: str, damage: Callable[[np.random.Generator], bytes]) -> Counter[str]:
    return Counter(outcome(damage(np.random.default_rng(seed)), mode) for seed in range(CASES))


@each_mode
def test_a_damaged_file_is_an_error(mode: str) -> None:
    found = outcomes(mode, lambda rng: damaged(FILES[mode], rng))
    assert "picture" not in found and found["CorruptError"] > CASES // 2, found


@each_mode
def test_a_damaged_payload_is_an_error_or_a_picture(mode: str) -> None:
    """With checksums that agree, as someone who means harm would write them."""
    parts = container.read(FILES[mode])

    def damage(rng: np.random.Generator) -> bytes:
        return container.write(dataclasses.replace(parts, payload=damaged(parts.payload, rng)))

    found = outcomes(mode, damage)
    assert found["picture"] > CASES // 10 and found["CorruptError"] > 0, found  # both ways are walked


@each_mode
def test_any_change_of_the_side_picture_is_seen(mode: str) -> None:
    side = SIDES[mode] if mode != "latents" else wyner.decode(SIDE_FILE).pixels
    for seed in range(CASES):
        rng = np.random.default_rng(seed)
        changed = np.frombuffer(bytearray(side.tobytes()), side.dtype).reshape(side.shape)
        samples = changed.reshape(-1)
        where = rng.choice(samples.size, int(rng.choice([1, 2, 30])), replace=False)
        samples[where] ^= rng.integers(1, np.iinfo(side.dtype).max, where.size, side.dtype, endpoint=True)
        with pytest.raises(wyner.SideImageError):
            wyner.decode(FILES[mode], side=changed)
