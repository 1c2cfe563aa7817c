"""The native decoder with inputs from a side picture against the reference (docs/spec/side.md)."""

from __future__ import annotations

import hashlib
import platform
from dataclasses import dataclass
from typing import Any

import forced_isa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wyner.errors import WynerError
from wyner.reference import side as reference
from wyner.reference.latents import grid_shape
from wyner.reference.network import Header, models

native = pytest.importorskip("wyner._native", reason="the native extension is not built")

from test_reference import random_latents, random_parameters, random_precisions  # noqa: E402

X86 = platform.machine().lower() in ("x86_64", "amd64")
MODES = ("full", "arm", "latents")


def random_side(rng: np.random.Generator, mode: str, shape: tuple[int, int, int], maxval: int) -> Any:
    """Native and reference inputs from a random side picture, or from random latents of one."""
    height, width, _ = shape
    if mode == "latents":
        other = [int(v) for v in rng.integers(1, 50, 2)]
        latents = [random_latents(rng, grid_shape(*other, i)) for i in range(int(rng.integers(1, 10)))]
        arrays = [q.astype(np.int32) for q in latents]
        ours = native.SideInputs.of_latents(arrays, width, height)
        return ours, reference.side_of_latents(latents, width, height)
    dtype = np.uint8 if maxval == 255 else np.uint16
    warped = rng.integers(0, maxval + 1, shape).astype(dtype)
    if rng.random() < 0.5:  # extremes
        warped = (warped > maxval // 2) * dtype(maxval)
    valid = (rng.random((height, width)) < rng.choice([0, 0.05, 0.7, 1])).astype(np.uint8)
    ours = native.SideInputs.of_picture(warped, valid, mode == "full")
    return ours, reference.side_of_picture(warped, valid, mode == "full")


@dataclass(repr=False)
class Source:
    """A payload and the inputs from a side picture that it was made with."""

    width: int
    height: int
    channels: int
    maxval: int
    payload: bytes
    native_side: Any
    reference_side: reference.SideInputs

    def decode(self, threads: int) -> np.ndarray:
        size = (self.width, self.height, self.channels, self.maxval)
        return native.overfit_decode(self.payload, *size, threads, self.native_side)

    def decode_slowly(self) -> np.ndarray:
        size = (self.width, self.height, self.channels, self.maxval)
        return reference.decode_with_side(self.payload, *size, self.reference_side)


def random_source(
    seed: int, mode: str, shape: tuple[int, int, int], maxval: int, spread: float, wild: bool
) -> Source:
    rng = np.random.default_rng(seed)
    height, width, channels = shape
    ours, theirs = random_side(rng, mode, shape, maxval)
    model, grids = int(rng.integers(0, len(models()))), int(rng.integers(1, 10))
    fa, fu = int(rng.integers(4, 12)), int(rng.integers(2, 12))
    k = random_precisions(rng, models()[model]["kdef"], fa, fu, wild)
    k[8] = min(k[8], 13)
    s = [int(v) for v in rng.integers(*((-64, 65) if wild else (-3, 4)), 12)]
    header = Header(models()[model], grids, fa, fu, k, s, theirs.extras)
    p = random_parameters(rng, header, spread)
    flat = np.concatenate([values.ravel() for values in p.values()]).astype(np.int32)
    latents = [random_latents(rng, grid_shape(width, height, i)).astype(np.int32) for i in range(grids)]
    payload = native.overfit_encode(width, height, model, fa, fu, k, s, flat, latents, ours)
    return Source(width, height, channels, maxval, payload, ours, theirs)


@st.composite
def sources(draw: st.DrawFn, most: int = 40) -> Source:
    shape = (draw(st.integers(1, most)), draw(st.integers(1, most)), draw(st.sampled_from([1, 3])))
    return random_source(
        draw(st.integers(0, 2**32 - 1)),
        draw(st.sampled_from(MODES)),
        shape,
        draw(st.sampled_from([255, 65535])),
        draw(st.sampled_from([0.0, 0.1, 1.0, 30.0])),
        draw(st.booleans()),
    )


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(MODES), st.integers(1, 70), st.integers(1, 70))
def test_same_inputs(seed: int, mode: str, height: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    channels, maxval = int(rng.choice([1, 3])), int(rng.choice([255, 65535]))
    ours, theirs = random_side(rng, mode, (height, width, channels), maxval)
    assert ours.extras == theirs.extras and ours.context_bits == theirs.bits
    assert len(ours.contexts) == len(theirs.contexts)
    for actual, expected in zip(ours.contexts, theirs.contexts, strict=True):
        np.testing.assert_array_equal(np.stack(actual), expected)
    np.testing.assert_array_equal(np.reshape(ours.planes, theirs.planes.shape), theirs.planes)


@settings(max_examples=60, deadline=None)
@given(sources(), st.integers(1, 3))
def test_same_samples(source: Source, threads: int) -> None:
    expected = source.decode_slowly()
    actual = source.decode(threads)
    assert actual.dtype == expected.dtype
    np.testing.assert_array_equal(actual, expected)


def outcome(decode: Any) -> Any:
    """The samples, or the class of the error."""
    try:
        return decode().tolist()
    except WynerError as error:
        return type(error)


@settings(max_examples=60, deadline=None)
@given(sources(10), st.data())
def test_damaged(source: Source, data: st.DataObject) -> None:
    payload = bytearray(source.payload)
    if data.draw(st.booleans()):
        payload[data.draw(st.integers(0, len(payload) - 1))] ^= data.draw(st.integers(1, 255))
    else:
        del payload[data.draw(st.integers(0, len(payload))) :]
    source.payload = bytes(payload)
    assert outcome(lambda: source.decode(1)) == outcome(source.decode_slowly)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 3), st.integers(0, 2**32 - 1), st.integers(1, 20), st.integers(1, 20))
def test_random_bytes(model: int, seed: int, width: int, height: int) -> None:
    rng = np.random.default_rng(seed)
    start = bytes(
        [model, int(rng.integers(1, 10)) << 4 | int(rng.integers(2, 13)), int(rng.integers(1, 13)) << 4]
    )
    sides = random_side(rng, MODES[int(rng.integers(3))], (height, width, 3), 255)
    source = Source(width, height, 3, 255, start + rng.bytes(20000), *sides)
    assert outcome(lambda: source.decode(1)) == outcome(source.decode_slowly)


def digest() -> str:
    """Hash of what the native code makes of a few sources, on one and two threads."""
    h = hashlib.sha256()
    for seed in range(9):
        shape = (53 + 29 * (seed % 2), 77 - 30 * (seed % 3), 3 if seed % 4 else 1)
        source = random_source(seed, MODES[seed % 3], shape, 255 if seed % 2 else 65535, 0.1, False)
        h.update(source.payload)
        for threads in (1, 2):
            h.update(source.decode(threads).tobytes())
    return h.hexdigest()


@pytest.mark.parametrize("isa", ["v2", "v3", "v4"] if X86 else ["base"])
def test_every_instruction_set_agrees(isa: str) -> None:
    run = forced_isa.run(isa, "test_side_reference", "t.digest()")
    assert run.stdout.split() == [isa, digest()], run.stderr


def test_side_inputs_of_another_size_are_refused() -> None:
    source = random_source(0, "full", (20, 21, 3), 255, 0.1, False)
    with pytest.raises(ValueError, match="another size"):
        native.overfit_decode(source.payload, 20, 20, 3, 255, 1, source.native_side)


@pytest.mark.parametrize("shape", [(5, 4), (4, 5)])
def test_masks_of_another_size_are_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="size"):
        native.SideInputs.of_picture(np.zeros((4, 4, 3), np.uint8), np.ones(shape, np.uint8), True)


def test_latents_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="4095"):
        native.SideInputs.of_latents([np.full((4, 4), 4096, np.int32)], 4, 4)
