"""From latents to samples (docs/spec/overfit.md, sections 8 and 9)."""

import numpy as np
from numpy.typing import NDArray

from wyner.reference.arithmetic import IntArray, relu, rshift, sat16
from wyner.reference.network import Network


def _clamped(v: IntArray, offset: int, axis: int) -> IntArray:
    """v[n + offset] along an axis, for every n, with indices clamped into the array."""
    n = v.shape[axis]
    return v.take(np.clip(np.arange(n) + offset, 0, n - 1), axis)


def pre_filter(v: IntArray, d: IntArray, k: int) -> IntArray:
    """The symmetric 7-tap filter of a latent plane, shape (h, w): vertically, then horizontally."""
    for axis in (0, 1):
        total = d[0] * v
        for m in (1, 2, 3):
            total = total + d[m] * (_clamped(v, -m, axis) + _clamped(v, m, axis))
        v = sat16(rshift(total, k))
    return v


def double(v: IntArray, c: IntArray, k: int, shape: tuple[int, int]) -> IntArray:
    """x2: double a plane to `shape`, vertically, then horizontally; odd sizes drop the spare sample."""
    for axis in (0, 1):
        at = {offset: _clamped(v, offset, axis) for offset in range(-2, 3)}
        even = c[0] * at[-2] + c[1] * at[-1] + c[2] * at[0] + c[3] * at[1]
        odd = c[3] * at[-1] + c[2] * at[0] + c[1] * at[1] + c[0] * at[2]
        size = list(v.shape)
        size[axis] *= 2
        pairs = np.stack([even, odd], axis + 1).reshape(size)
        v = sat16(rshift(pairs.take(np.arange(shape[axis]), axis), k))
    return v


def upsample(latents: list[IntArray], network: Network) -> IntArray:
    """u: all latents at picture size, from grid 0 to G-1, shape (G, H, W), in Q*fu*."""
    header, p = network.header, network.p
    planes: list[IntArray] = []
    for i in reversed(range(header.grids)):
        grid = latents[i]
        planes = [double(v, p["up.t"][i], header.k[5], grid.shape) for v in planes]
        planes.insert(0, pre_filter(sat16(grid << header.fu), p["pre.t"][i], header.k[6]))
    return np.stack(planes)


def _convolve(z: IntArray, filters: IntArray, bias: IntArray) -> IntArray:
    """3x3 cross-correlation of z, shape (3, H, W), coordinates clamped into the picture; not yet shifted."""
    height, width = z.shape[1:]
    padded = np.pad(z, ((0, 0), (1, 1), (1, 1)), mode="edge")
    total = np.zeros_like(z) + bias[:, None, None]
    for row in range(3):
        for column in range(3):
            total += np.tensordot(
                filters[:, :, row, column], padded[:, row : row + height, column : column + width], 1
            )
    return total


def synthesise(u: IntArray, network: Network) -> IntArray:
    """Planes Y, Co, Cg in Q10, shape (3, H, W), from the upsampled latents."""
    k, fu, p = network.header.k, network.header.fu, network.p
    b1 = (p["syn.b1"] << (k[7] + fu - k[9]))[:, None, None]
    b2 = (p["syn.b2"] << (k[8] + fu - k[9]))[:, None, None]
    h = sat16(relu(rshift(np.tensordot(p["syn.w1"], u, 1) + b1, k[7])))
    z = np.tensordot(p["syn.w2"], h, 1) + np.tensordot(p["syn.wl"], u, 1) + b2
    z = sat16(rshift(z, k[8] + fu - 10))

    shift = k[10] + 10 - k[11]
    r = sat16(relu(rshift(_convolve(z, p["syn.c1"], p["syn.d1"] << shift), k[10])))
    change = sat16(rshift(_convolve(r, p["syn.c2"], p["syn.d2"] << shift), k[10]))
    result: IntArray = sat16(z + change)
    return result


def to_samples(z: IntArray, channels: int, maxval: int) -> NDArray[np.generic]:
    """Samples in 0..maxval, shape (H, W, channels), from planes Y, Co, Cg in Q10."""
    y, co, cg = z
    t = y[..., None] if channels == 1 else np.stack([y + co - cg, y + cg, y - co - cg], -1)
    samples = (np.clip(t, 0, 16384) * maxval + 8192) >> 14
    return samples.astype(np.uint8 if maxval == 255 else np.uint16)
