"""Latent grids (docs/spec/overfit.md, section 7; side.md, section 8)."""

from collections.abc import Iterator

import numpy as np

from wyner.errors import CorruptError
from wyner.reference.arithmetic import IntArray, relu, rshift, sat16
from wyner.reference.laplace import IDX_MAX, symbol
from wyner.reference.network import Network
from wyner.reference.range_decoder import RangeDecoder

LATENT_MAX = 4095
MU_MAX = 262144
BAND = 16
MARGIN = 3  # the neighbourhood reaches three samples up, left and right

# (dy, dx); a model uses the first S.
NEIGHBOURS = [
    (0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 0), (-1, -2), (-1, 2), (-2, -1), (-2, 1),
    (0, -3), (-3, 0), (-2, -2), (-2, 2), (-1, -3), (-3, -1), (-3, 1), (-2, -3), (-2, 3), (-3, -2),
]  # fmt: skip


def grid_shape(width: int, height: int, i: int) -> tuple[int, int]:
    """Rows and columns of grid i."""
    return -(-height >> i), -(-width >> i)


def coding_order(rows: int, columns: int) -> Iterator[tuple[int, int]]:
    """Positions (row, column) in coded order: bands of 16 rows, each swept by a slanted front."""
    for r0 in range(0, rows, BAND):
        band = min(BAND, rows - r0)
        for t in range(columns + 3 * (band - 1)):
            for r in range(band):
                if 0 <= t - 3 * r < columns:
                    yield r0 + r, t - 3 * r


def _around(grid: IntArray) -> IntArray:
    """s_j: the 3x3 sums of |q| weighted 1 2 1 in both directions, coordinates clamped into the grid."""
    a = np.pad(np.abs(grid), 1, mode="edge")
    a = a[:-2] + 2 * a[1:-1] + a[2:]
    return a[:, :-2] + 2 * a[:, 1:-1] + a[:, 2:]


def feature_maps(i: int, latents: dict[int, IntArray], network: Network, shape: tuple[int, int]) -> IntArray:
    """The F features for grid i, shape (F, *shape), where shape is that of grid i+1.

    `latents` holds the grids decoded so far, that is those coarser than i. The coarsest grid has none: all
    inputs are zero and the features are the bias.
    """
    header = network.header
    fa = header.fa
    y, x = np.indices(shape)
    inputs = np.zeros((6, *shape), np.int64)
    for m in range(3):
        j = i + 1 + m
        if j < header.grids:
            at = (y >> m, x >> m)
            inputs[2 * m] = sat16(latents[j] << fa)[at]
            inputs[2 * m + 1] = sat16(_around(latents[j]) << (fa - 4))[at]
    weights, bias = network.p["ifc.w"][i], network.p["ifc.b"][i]
    total = np.tensordot(weights, inputs, 1) + (bias << fa)[:, None, None]
    result: IntArray = sat16(rshift(total, header.k[4]))
    return result


def arm(x: IntArray, network: Network) -> tuple[int, int]:
    """The context network: mean (Q6) and scale index of the next latent from its contexts x, shape (A,)."""
    k, fa, p = network.header.k, network.header.fa, network.p
    h1 = sat16(relu(rshift(p["arm.w1"] @ x + (p["arm.b1"] << (k[0] + fa - k[3])), k[0])))
    h2 = sat16(relu(rshift(p["arm.w2"] @ h1 + (p["arm.b2"] << (k[1] + fa - k[3])), k[1])))
    out = p["arm.wo"] @ h2 + p["arm.wl"] @ x + (p["arm.bo"] << (k[2] + fa - k[3]))
    a, s = int(out[0]), int(out[1])
    mu = min(max(rshift(a, k[2] + fa - 6), -MU_MAX), MU_MAX)
    idx = min(max(80 + rshift(s, k[2] + fa - 4), 0), IDX_MAX)
    return mu, idx


def _decode_grid(
    decoder: RangeDecoder, network: Network, features: IntArray, known: IntArray, shape: tuple[int, int]
) -> IntArray:
    """One grid whose latents are not all zero. known: contexts from a side picture, (E, *shape)."""
    rows, columns = shape
    fa, S = network.header.fa, network.header.model["S"]
    dy, dx = np.array(NEIGHBOURS[:S]).T
    padded = np.zeros((rows + MARGIN, columns + 2 * MARGIN), np.int64)  # outside the grid latents are 0
    for row, column in coding_order(rows, columns):
        near = sat16(padded[row + MARGIN + dy, column + MARGIN + dx] << fa)
        x = np.concatenate([near, features[:, row >> 1, column >> 1], known[:, row, column]])
        value = symbol(decoder, *arm(x, network))
        if abs(value) > LATENT_MAX:
            raise CorruptError("latent out of range")
        padded[row + MARGIN, column + MARGIN] = value
    return padded[MARGIN:, MARGIN:-MARGIN]


def decode_latents(
    decoder: RangeDecoder,
    network: Network,
    width: int,
    height: int,
    contexts: list[IntArray] | None = None,
) -> list[IntArray]:
    """The latent grids, finest first; grid i has shape ceil(height / 2^i), ceil(width / 2^i).

    Values lie in -4095..4095. contexts: those from a side picture in Q*fa*, (E, rows, columns) of each grid.
    Raises CorruptError.
    """
    latents: dict[int, IntArray] = {}
    for i in reversed(range(network.header.grids)):
        shape = grid_shape(width, height, i)
        if decoder.bits(1):
            features = feature_maps(i, latents, network, grid_shape(width, height, i + 1))
            known = np.zeros((0, *shape), np.int64) if contexts is None else contexts[i]
            latents[i] = _decode_grid(decoder, network, features, known, shape)
        else:
            latents[i] = np.zeros(shape, np.int64)
    return [latents[i] for i in range(network.header.grids)]
