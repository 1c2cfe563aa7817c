"""The lossless codec (docs/spec/lossless.md), decoding only: its payload, levels and distributions."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray

from wyner.errors import CorruptError, UnsupportedError, UsageError
from wyner.reference.coder import mixture, varint
from wyner.reference.drawn import decode_drawn
from wyner.reference.lossless_network import (
    LEVELS,
    LIMIT,
    MIXTURE,
    PHASES,
    Ints,
    Known,
    Network,
    half,
    known_of,
    log2,
    rounded,
)
from wyner.reference.lossless_tuning import Mixtures, Tuning, even, numbers_of, read_tunings
from wyner.reference.lossless_update import updated
from wyner.reference.plane import decode_plane
from wyner.reference.range_decoder import RangeDecoder

NETWORK, DRAWN, UPDATED, PLANES = 0, 1, 2, 3
SIZE_BYTES = 4
NAME_BYTES = 8
TILE_SIDE, PIXELS_PER_STREAM, MOST_STREAMS = 768, 65536, 8
LOG_LIMIT, PLACE_LIMIT, LOCATION_LIMIT = 8192, 32768, 2**25
PLANE_OF_PASS = (0, 0, 1, 2)
STARTS = {"a": (0, 0), "h": (0, 1), "v": (1, 0), "d": (1, 1)}
"""Row and column, in a level, of the first sample of each phase."""

Range = tuple[int, int]


@dataclass(frozen=True)
class Setting:
    """What all levels of a picture share.

    ranges: of each plane that is coded. depth: bits above 8. tunings: by level, phase and pass.
    """

    network: Network
    streams: list[RangeDecoder]
    ranges: list[Range]
    depth: int
    tunings: dict[tuple[int, str, int], Tuning]


def mixtures(parameters: Ints, base: Ints, spread: Ints, neighbours: int) -> Mixtures:
    """The distributions of a plane (section 6).

    parameters: (9, h, w). base, spread: (h, w), of the plane that is coded. neighbours: of the phase.
    """
    logs, places, scales = parameters.reshape(3, MIXTURE, *base.shape)
    width = (spread * (((1 << 20) + neighbours // 2) // neighbours)) >> 14
    place = np.clip(rounded(places, 8), -PLACE_LIMIT, PLACE_LIMIT)
    location = np.clip(64 * base + rounded(place * width, 10), -LOCATION_LIMIT, LOCATION_LIMIT)
    log_spread = log2(spread) - log2(np.array(4 * neighbours))
    x = log_spread + np.clip(rounded(scales, 10), -LOG_LIMIT, LOG_LIMIT)
    scale = np.clip(((x + 8) >> 4) + 72, 8, 255)

    share = np.clip(rounded(logs, 10), -LOG_LIMIT, LOG_LIMIT)
    e = half(share.max(0) - share)
    weight = (e << 16) // e.sum(0)
    largest = np.arange(MIXTURE)[:, None, None] == share.argmax(0)  # the first of them
    return Mixtures(weight + largest * (65536 - weight.sum(0)), location, scale)


def decode_pass(
    setting: Setting, head: int, samples: Ints, shape: tuple[int, int], distributions: Mixtures
) -> NDArray[np.bool_]:
    """One pass over a phase: writes what it codes into the samples (h, w) of its plane.

    shape: rows and columns of samples that there are. Returns where samples were coded, (h, w).
    """
    low, high = setting.ranges[PLANE_OF_PASS[head]]
    coded = np.zeros(samples.shape, bool)
    rows, columns = shape
    count = len(setting.streams)
    for s, decoder in enumerate(setting.streams):
        for y in range(rows * s // count, rows * (s + 1) // count):
            for x in range(columns):
                if head > 1 or (y + x) % 2 == head:
                    edges = mixture(*distributions.at(y, x), low, high)
                    samples[y, x] = low + decoder.interval(*edges, 24)
                    coded[y, x] = True
    return coded


def decode_phase(
    setting: Setting, level: int, phase: str, known: Known, state: Ints, shape: tuple[int, int]
) -> Ints:
    """Samples of a phase on its grid, (3, h, w), 0 where there are none."""
    planes = np.zeros_like(known.base)
    residuals = np.zeros_like(planes)  # of samples that are coded, in quarters
    for head in range(2 if len(setting.ranges) == 1 else 4):
        plane = PLANE_OF_PASS[head]
        seen = np.clip(known.ratio(residuals), -LIMIT, LIMIT)[:2]
        parameters = setting.network.trunks[phase].heads[head].parameters(state, seen)
        base = known.base[plane]
        distributions = mixtures(parameters, base, known.spread[plane], len(known.samples))
        if (level, phase, head) in setting.tunings:
            numbers = numbers_of(head, plane, known, residuals)
            distributions = setting.tunings[level, phase, head].applied(distributions, numbers, base)
        coded = decode_pass(setting, head, planes[plane], shape, distributions)
        residuals[plane] = np.where(coded, 4 * planes[plane] - base, residuals[plane])
    return planes


def completed(samples: Ints, grid: tuple[int, int]) -> Ints:
    """Phase a, (3, h, w), on its grid: its last column and row repeated."""
    down, right = grid[0] - samples.shape[1], grid[1] - samples.shape[2]
    return np.pad(samples, ((0, 0), (0, down), (0, right)), mode="edge")


def decode_picture(setting: Setting, width: int, height: int, level: int = 0) -> Ints:
    """Planes (3, height, width) of a level and those below it (section 2)."""
    picture = np.zeros((3, height, width), np.int64)
    if width == height == 1:
        for plane, (low, high) in enumerate(setting.ranges):
            picture[plane] = even(setting.streams[0], low, high)
        return picture
    coarse = decode_picture(setting, (width + 1) // 2, (height + 1) // 2, level + 1)
    picture[:, ::2, ::2] = coarse
    grid = ((height + 1) // 2 + 3) // 4 * 4, ((width + 1) // 2 + 3) // 4 * 4
    planes = {"a": completed(coarse, grid)}
    row = min(level, LEVELS - 1)
    context = setting.network.context(known_of("d", planes).features(setting.depth), row)
    for phase in PHASES:
        top, left = STARTS[phase]
        rows, columns = picture[0, top::2, left::2].shape
        planes[phase] = planes["a"].copy()
        if rows and columns:
            known = known_of(phase, {name: p for name, p in planes.items() if name != phase})
            state = setting.network.trunks[phase].state(known.features(setting.depth), context, row)
            samples = decode_phase(setting, level, phase, known, state, (rows, columns))[:, :rows, :columns]
            picture[:, top::2, left::2] = planes[phase][:, :rows, :columns] = samples
    return picture


# --- the payload (sections 1 and 7) -------------------------------------------------------------


def _signed(data: bytes, position: int, maxval: int) -> tuple[int, int]:
    v, position = varint(data, position)
    value = -(v + 1) // 2 if v % 2 else v // 2
    if abs(value) > maxval:
        raise CorruptError("a range is out of range")
    return value, position


def _edges(length: int) -> list[int]:
    parts = -(-length // TILE_SIDE)
    return [length * i // parts for i in range(parts + 1)]


def streams_of(width: int, height: int) -> int:
    """Streams of a tile."""
    return min(max(width * height // PIXELS_PER_STREAM, 1), MOST_STREAMS)


def _to_samples(planes: Ints, colours: int, channels: int, maxval: int) -> Ints:
    """Planes (3, h, w) to samples (h, w, channels)."""
    y, co, cg = planes
    if channels == 1:
        samples = y[..., None]
    elif colours == 1:
        samples = np.stack([co, y, cg], -1)
    else:
        t = y - (cg >> 1)
        blue = t - (co >> 1)
        samples = np.stack([co + blue, cg + t, blue], -1)
    if samples.min() < 0 or samples.max() > maxval:
        raise CorruptError("a sample is out of range")
    return samples


def decode_data(data: bytes, width: int, height: int, channels: int, maxval: int, network: Network) -> Ints:
    """Samples (height, width, channels) of the data of method 0. Raises CorruptError."""
    if data[:1] not in (b"\0", b"\1"):
        raise CorruptError("no such colours")
    position, ranges = 1, []
    for _ in range(channels):
        low, position = _signed(data, position, maxval)
        high, position = _signed(data, position, maxval)
        if high < low or high - low >= 65536:
            raise CorruptError("a range is out of range")
        ranges.append((low, high))
    rows, columns = _edges(height), _edges(width)
    tiles = [
        (top, left, bottom - top, right - left)
        for top, bottom in pairwise(rows)
        for left, right in pairwise(columns)
    ]
    counts = [streams_of(w, h) for _, _, h, w in tiles]
    sizes = []
    for _ in range(sum(counts) - 1):
        size, position = varint(data, position)
        sizes.append(size)
    starts = [*accumulate(sizes, initial=position), len(data)]
    if starts[-2] > len(data):
        raise CorruptError("the streams are longer than the data")
    result = np.zeros((height, width, channels), np.int64)
    first = 0
    for (top, left, h, w), count in zip(tiles, counts, strict=True):
        pieces = starts[first : first + count + 1]
        decoders = [RangeDecoder(data[a:b]) for a, b in pairwise(pieces)]
        first += count
        tunings = read_tunings(decoders[0], channels)
        planes = decode_picture(Setting(network, decoders, ranges, 8 * (maxval > 255), tunings), w, h)
        result[top : top + h, left : left + w] = _to_samples(planes, data[0], channels, maxval)
    return result


def _update(network: Network, rest: bytes) -> tuple[Network, bytes]:
    """The network that data of method 2 is decoded with, and that data. Raises CorruptError."""
    end = SIZE_BYTES + int.from_bytes(rest[:SIZE_BYTES], "big")
    if len(rest) < max(end, SIZE_BYTES):
        raise CorruptError("the payload ends within its update")
    return updated(network, rest[SIZE_BYTES:end]), rest[end:]


def decode_planes(data: bytes, width: int, height: int, channels: int, maxval: int) -> Ints:
    """Samples (height, width, channels) of the data of method 3. Raises CorruptError."""
    planes, start = [], SIZE_BYTES * (channels - 1)
    for c in range(channels):
        size = (
            int.from_bytes(data[SIZE_BYTES * c : SIZE_BYTES * (c + 1)], "big") if c < channels - 1 else None
        )
        if start + (size or 0) > len(data):
            raise CorruptError("the planes are longer than the data")
        part = data[start:] if size is None else data[start : start + size]
        planes.append(decode_plane(part, width, height, maxval))
        start += len(part)
    return np.stack(planes, -1).astype(np.int64)


def decode_lossless(
    payload: bytes, width: int, height: int, channels: int, maxval: int, network: Network | None = None
) -> NDArray[np.generic]:
    """Decode a `lossless` payload (docs/spec/lossless.md).

    Args:
        payload: the coded bytes, without the container header.
        width, height: picture size, each >= 1.
        channels: 1 (grey) or 3 (RGB).
        maxval: 255 or 65535.
        network: what payloads of methods 0 and 2 need.

    Returns:
        Samples in 0..maxval, shape (height, width, channels), uint8 if maxval is 255, else uint16.

    Raises:
        CorruptError: the payload breaks a rule of the specification.
        UnsupportedError: the payload names another network.
        UsageError: an argument is outside its range.
    """
    if width < 1 or height < 1 or channels not in (1, 3) or maxval not in (255, 65535):
        raise UsageError("decode_lossless: argument out of range")
    if payload[:1] == bytes([DRAWN]):
        samples = decode_drawn(payload[1:], width, height, channels, maxval)
    elif payload[:1] == bytes([PLANES]):
        samples = decode_planes(payload[1:], width, height, channels, maxval)
    elif payload[:1] in (bytes([NETWORK]), bytes([UPDATED])):
        name, data = payload[1 : 1 + NAME_BYTES], payload[1 + NAME_BYTES :]
        if len(name) < NAME_BYTES:
            raise CorruptError("the payload ends within the name of its network")
        if network is None or network.name != name:
            raise UnsupportedError("the payload needs another network")
        if payload[0] == UPDATED:
            network, data = _update(network, data)
        samples = decode_data(data, width, height, channels, maxval, network)
    else:
        raise CorruptError("no such method")
    return samples.astype(np.uint8 if maxval == 255 else np.uint16)
