"""The field of a side picture and the warp by it (docs/spec/side.md, sections 1 to 4)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from wyner.errors import CorruptError, UsageError
from wyner.reference.plane import Bits
from wyner.reference.range_decoder import RangeDecoder

MAX_VECTOR = 4095
FILTER = np.array(
    [
        [0, 0, 0, 64, 0, 0, 0, 0],
        [-1, 4, -10, 57, 18, -6, 2, 0],
        [-1, 4, -11, 40, 40, -11, 4, -1],
        [0, 2, -6, 18, 57, -10, 4, -1],
    ]
)

Vector = tuple[int, int]


# --- section 1 ------------------------------------------------------------------------------------


class Blocks:
    """The blocks decoded so far, by (row, column)."""

    def __init__(self, bits: Bits) -> None:
        self._bits = bits
        self.valid: dict[Vector, int] = {}
        self.vectors: dict[Vector, Vector] = {}
        self._errors: dict[Vector, Vector] = {}

    def decode(self, row: int, column: int) -> None:
        """Read the block at (row, column)."""
        here, w, n, ne = (row, column), (row, column - 1), (row - 1, column), (row - 1, column + 1)
        around = [self.valid.get(p, 1) for p in (w, n, ne)]
        valid = self._bits("valid", around[0] + 2 * around[1] + 4 * around[2])
        guess = self._guess(row, column)
        error: list[int] = []
        for axis in range(2 if valid else 0):
            errors = [self._errors.get(p, (0, 0))[axis] for p in (w, n, ne)]
            spread = abs(self.vectors[w][axis] - self.vectors[n][axis]) if row and column else 0
            error.append(self._difference(axis, errors, spread, int(axis == 1 and error[0] != 0)))
            if abs(guess[axis] + error[axis]) > MAX_VECTOR:
                raise CorruptError("field: vector out of range")
        ex, ey = error or (0, 0)
        self.valid[here] = valid
        self.vectors[here] = (guess[0] + ex, guess[1] + ey)
        self._errors[here] = (ex, ey)

    def _guess(self, row: int, column: int) -> Vector:
        if row == 0:
            return self.vectors.get((0, column - 1), (0, 0))
        north = self.vectors[row - 1, column]
        if column == 0:
            return north
        west, corner = self.vectors[row, column - 1], self.vectors[row - 1, column - 1]
        x, y = (
            min(max(a + b - c, min(a, b)), max(a, b)) for a, b, c in zip(west, north, corner, strict=True)
        )
        return x, y

    def _difference(self, axis: int, errors: list[int], spread: int, other: int) -> int:
        bits = self._bits
        w, n, ne = errors
        busy = min((2 * abs(w) + abs(n) + abs(ne) + spread).bit_length(), 9)
        if bits("zero", axis, busy, other):
            return 0
        negative = bits("negative", axis, np.sign(w), np.sign(n))
        length = 0
        while length < 12 and bits("longer", axis, busy, length):
            length += 1
        d = 1
        for i in reversed(range(length)):
            d = 2 * d + (bits("high", axis, length, d) if length - i <= 2 else bits("low", axis, length, i))
        return -d if negative else d


def decode_field(data: bytes, width: int, height: int) -> tuple[int, NDArray[np.int16], NDArray[np.uint8]]:
    """Decode a field (docs/spec/side.md, section 1).

    Args:
        data: the coded bytes.
        width, height: size of the coded picture, each >= 1.

    Returns:
        Block size (8, 16 or 32); vectors, (rows, columns, 2) int16 in quarter pixels, x first, zeros where
        the block is not valid; validity, (rows, columns) uint8, 0 or 1.

    Raises:
        CorruptError: the data breaks a rule of the specification.
        UsageError: an argument is outside its range.
    """
    if width < 1 or height < 1:
        raise UsageError("decode_field: argument out of range")
    decoder = RangeDecoder(data)
    k = decoder.bits(2)
    if k == 3:
        raise CorruptError("field: bad block size")
    size = 8 << k
    rows, columns = -(-height // size), -(-width // size)
    blocks = Blocks(Bits(decoder))
    vectors, valid = np.zeros((rows, columns, 2), np.int16), np.zeros((rows, columns), np.uint8)
    for row, column in np.ndindex(rows, columns):
        blocks.decode(row, column)
        valid[row, column] = blocks.valid[row, column]
        if valid[row, column]:
            vectors[row, column] = blocks.vectors[row, column]
    return size, vectors, valid


# --- sections 2 to 4 ------------------------------------------------------------------------------


def convert(y: NDArray[Any], channels: int, maxval: int) -> NDArray[np.int64]:
    """Bring a side picture, (H, W, C) uint8 or uint16, to other channels and depth (section 2)."""
    samples = y.astype(np.int64)
    if channels == 1 and y.shape[2] == 3:
        samples = ((samples @ np.array([77, 150, 29]) + 128) >> 8)[:, :, None]
    elif channels == 3 and y.shape[2] == 1:
        samples = np.repeat(samples, 3, axis=2)
    if maxval == 65535 and y.dtype == np.uint8:
        return samples * 257
    if maxval == 255 and y.dtype == np.uint16:
        return (samples + 128) // 257
    return samples


def predict(y: NDArray[np.int64], row: int, column: int, vector: Vector, maxval: int) -> NDArray[np.int64]:
    """The prediction of one pixel at a vector, shape (C,) (section 3)."""
    vx, vy = vector
    columns = np.clip(np.arange(-3, 5) + column + (vx >> 2), 0, y.shape[1] - 1)
    rows = np.clip(np.arange(-3, 5) + row + (vy >> 2), 0, y.shape[0] - 1)
    total: NDArray[np.int64] = np.einsum(
        "j,i,jic->c", FILTER[vy & 3], FILTER[vx & 3], y[np.ix_(rows, columns)]
    )
    return np.clip((total + 2048) >> 12, 0, maxval)


class Field:
    """Blocks to look vectors up in."""

    def __init__(self, size: int, vectors: NDArray[np.int16], valid: NDArray[np.uint8]) -> None:
        self.size = size
        self._vectors = vectors
        self._valid = valid

    def vector(self, row: int, column: int) -> Vector | None:
        """That of the block at (row, column), or None if it is not valid or does not exist."""
        rows, columns = self._valid.shape
        if not (0 <= row < rows and 0 <= column < columns and self._valid[row, column]):
            return None
        return int(self._vectors[row, column, 0]), int(self._vectors[row, column, 1])


def warp_pixel(
    y: NDArray[np.int64], field: Field, row: int, column: int, maxval: int
) -> NDArray[np.int64] | None:
    """One pixel of the warped picture, shape (C,), or None if it is not valid (section 4)."""
    s = field.size
    (block_row, j), (block_column, i) = divmod(row, s), divmod(column, s)
    own = field.vector(block_row, block_column)
    if own is None:
        return None
    if not (0 <= column + ((own[0] + 2) >> 2) < y.shape[1] and 0 <= row + ((own[1] + 2) >> 2) < y.shape[0]):
        return None
    side_row, side_column = block_row + (-1 if j < s // 2 else 1), block_column + (-1 if i < s // 2 else 1)
    a, b = (24 * abs(2 * k + 1 - s) // s for k in (i, j))
    blocks = [(block_row, side_column), (side_row, block_column), (side_row, side_column)]
    vectors = [own, *(field.vector(*block) or own for block in blocks)]
    p_own, across, down, diagonal = (predict(y, row, column, v, maxval) for v in vectors)
    above, below = (64 - a) * p_own + a * across, (64 - a) * down + a * diagonal
    return ((64 - b) * above + b * below + 2048) >> 12


def warp(
    y: NDArray[Any],
    field: tuple[int, NDArray[np.int16], NDArray[np.uint8]],
    width: int,
    height: int,
    channels: int,
    maxval: int,
) -> tuple[NDArray[np.generic], NDArray[np.uint8]]:
    """Warp a side picture by a field (docs/spec/side.md, sections 2 to 4).

    Args:
        y: the side picture, (H, W, C) uint8 or uint16, C in {1, 3}.
        field: as ``decode_field`` returns it for a picture of width x height.
        width, height, channels, maxval: of the coded picture; channels 1 or 3, maxval 255 or 65535.

    Returns:
        The warped picture, (height, width, channels), uint8 if maxval is 255, else uint16, and its validity,
        (height, width) uint8; the picture is 0 where it is not valid.
    """
    converted = convert(y, channels, maxval)
    blocks = Field(*field)
    warped = np.zeros((height, width, channels), np.uint8 if maxval == 255 else np.uint16)
    valid = np.zeros((height, width), np.uint8)
    for row, column in np.ndindex(height, width):
        pixel = warp_pixel(converted, blocks, row, column, maxval)
        if pixel is not None:
            warped[row, column] = pixel
            valid[row, column] = 1
    return warped, valid
