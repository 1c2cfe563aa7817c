"""Inputs from a side picture, and payloads with them (docs/spec/side.md, sections 6 to 8)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wyner.reference.arithmetic import IntArray, rshift, sat16
from wyner.reference.latents import decode_latents, grid_shape
from wyner.reference.network import decode_network
from wyner.reference.range_decoder import RangeDecoder
from wyner.reference.synthesis import synthesise, to_samples, upsample

GRIDS = 9
CONTEXTS, PLANES = 4, 6
PICTURE_BITS, LATENT_BITS = 10, 4
MIDDLE = 8192


@dataclass(frozen=True)
class SideInputs:
    """contexts: (4, rows, columns) for each of 9 grids, of `bits` fractional bits. planes: (0 or 6, H, W)."""

    contexts: list[IntArray]
    bits: int
    planes: IntArray

    @property
    def extras(self) -> tuple[int, int]:
        """E and X."""
        return CONTEXTS, len(self.planes)


def to_bits(v: IntArray, source: int, wanted: int) -> IntArray:
    """Numbers of `source` fractional bits with `wanted` ones."""
    result: IntArray = rshift(v, source - wanted) if wanted < source else sat16(v << (wanted - source))
    return result


def _mean(total: IntArray, count: IntArray | int) -> IntArray:
    result: IntArray = (2 * total + count) // (2 * count)
    return result


def _read(warped: NDArray[np.generic], valid: NDArray[np.generic]) -> tuple[IntArray, IntArray]:
    """Planes (1 or 3, H, W), zero where nothing is known, and where something is."""
    maxval = 255 if warped.dtype == np.uint8 else 65535
    t = (warped.astype(np.int64) * 16384 + maxval // 2) // maxval
    if t.shape[2] == 1:
        planes = t[None, :, :, 0] - MIDDLE
    else:
        r, g, b = np.moveaxis(t, 2, 0)
        luma = ((r + 2 * g + b + 2) >> 2) - MIDDLE
        planes = np.stack([luma, (r - b + 1) >> 1, (2 * g - r - b + 2) >> 2])
    known = (valid != 0).astype(np.int64)
    return planes * known, known


def _half(planes: IntArray, known: IntArray) -> tuple[IntArray, IntArray]:
    """Means of the known samples of 2x2; samples that are not known are zero."""

    def sums(v: IntArray) -> IntArray:
        height, width = v.shape
        v = np.pad(v, ((0, height % 2), (0, width % 2)))
        return v[::2, ::2] + v[1::2, ::2] + v[::2, 1::2] + v[1::2, 1::2]

    count = sums(known)
    means = np.stack([_mean(sums(v), np.maximum(count, 1)) for v in planes])
    return means, (count > 0).astype(np.int64)


def _filled_pyramid(planes: IntArray, known: IntArray) -> list[tuple[IntArray, IntArray]]:
    levels = [(planes, known)]
    while len(levels) < GRIDS or levels[-1][1].size > 1:
        levels.append(_half(*levels[-1]))
    for i in reversed(range(len(levels) - 1)):
        planes, known = levels[i]
        y, x = np.indices(known.shape)
        levels[i] = np.where(known, planes, levels[i + 1][0][:, y >> 1, x >> 1]), known
    return levels


def _smooth(v: IntArray) -> IntArray:
    p = np.pad(v, 1, mode="edge")
    p = p[:-2] + 2 * p[1:-1] + p[2:]
    result: IntArray = rshift(p[:, :-2] + 2 * p[:, 1:-1] + p[:, 2:], 4)
    return result


def _box(v: IntArray, radius: int) -> IntArray:
    height, width = v.shape
    padded = np.pad(v, radius, mode="edge")
    size = 2 * radius + 1
    total = sum(padded[dy : dy + height, dx : dx + width] for dy in range(size) for dx in range(size))
    return _mean(np.asarray(total), size * size)


def side_of_picture(warped: NDArray[np.generic], valid: NDArray[np.generic], planes: bool) -> SideInputs:
    """Inputs from a warped side picture, (H, W, 1 or 3) uint8 or uint16, and where it is valid, (H, W)."""
    levels = _filled_pyramid(*_read(warped, valid))
    contexts = []
    for colours, known in levels[:GRIDS]:
        luma = colours[0]
        detail = (luma - _smooth(luma)) * known
        contexts.append(np.stack([detail, _smooth(np.abs(detail)), luma, 2048 * (1 - known)]))
    colours = levels[0][0]
    shape = colours.shape[1:]
    if not planes:
        return SideInputs(contexts, PICTURE_BITS, np.zeros((0, *shape), np.int64))
    chroma = colours[1:] if len(colours) == 3 else np.zeros((2, *shape), np.int64)
    means = [_box(colours[0], radius) for radius in (1, 2, 5)]
    return SideInputs(contexts, PICTURE_BITS, np.stack([colours[0], *chroma, *means]))


def side_of_latents(latents: list[IntArray], width: int, height: int) -> SideInputs:
    """Inputs from the latents of the side picture's own file, finest grid first."""
    contexts = []
    for i in range(GRIDS):
        rows, columns = grid_shape(width, height, i)
        known = np.zeros((CONTEXTS, rows, columns + 2), np.int64)  # from column -1 on
        if i < len(latents):
            q = np.asarray(latents[i], np.int64)
            p = np.pad(np.abs(q), 1, mode="edge")
            p = p[:-2] + 2 * p[1:-1] + p[2:]
            around = np.minimum(p[:, :-2] + 2 * p[:, 1:-1] + p[:, 2:], 32767)
            here = sat16(q << LATENT_BITS)
            h, w = min(rows, q.shape[0]), q.shape[1]
            for plane, values, column in ((0, here, 1), (1, around, 1), (2, here, 2), (3, here, 0)):
                end = min(column + w, columns + 2)
                known[plane, :h, column:end] = values[:h, : end - column]
        contexts.append(known[:, :, 1:-1])
    return SideInputs(contexts, LATENT_BITS, np.zeros((0, height, width), np.int64))


def decode_with_side(
    payload: bytes, width: int, height: int, channels: int, maxval: int, side: SideInputs
) -> NDArray[np.generic]:
    """Decode a payload that was made with these inputs; arguments, result and errors as decode_overfit."""
    decoder = RangeDecoder(payload)
    network = decode_network(decoder, side.extras)
    fa, fu = network.header.fa, network.header.fu
    contexts = [to_bits(grid, side.bits, fa) for grid in side.contexts]
    latents = decode_latents(decoder, network, width, height, contexts)
    known = to_bits(side.planes, PICTURE_BITS, fu)
    planes = np.concatenate([upsample(latents, network), known])
    return to_samples(synthesise(planes, network), channels, maxval)
