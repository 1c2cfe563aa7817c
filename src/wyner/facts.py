"""What ``wyner.info`` and ``wyner.compare`` tell."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ChunkInfo:
    """A chunk of a file: its one-letter type and its bytes in the file, all overhead included."""

    type: str
    bytes: int


@dataclass(frozen=True)
class Info:
    """What a file tells without being decoded. bpp: of the whole file. Hashes are in hexadecimal.

    side_hash: pixel hash of the side picture that decoding needs; None for a file that needs none.
    """

    width: int
    height: int
    channels: int
    bit_depth: int
    has_alpha: bool
    codec: str
    codec_version: int
    format_version: str
    file_bytes: int
    bpp: float
    pixel_hash: str | None
    side_hash: str | None
    chunks: tuple[ChunkInfo, ...]


@dataclass(frozen=True)
class Comparison:
    """How two pictures differ, over their colour samples.

    psnr_db: infinite for equal samples. mse, max_error: in sample units. alpha_equal: both without alpha, or
    with the same. bpp: of the second picture's file, all bytes counted; None when it was not given as one.
    """

    width: int
    height: int
    psnr_db: float
    mse: float
    max_error: int
    alpha_equal: bool
    file_bytes: int | None
    bpp: float | None


@dataclass(frozen=True)
class SetPicture:
    """A picture of a set. bytes: of the file that are its own. name, pixel_hash: None where not stored."""

    name: str | None
    width: int
    height: int
    channels: int
    bit_depth: int
    has_alpha: bool
    bytes: int
    pixel_hash: str | None


@dataclass(frozen=True)
class SetInfo:
    """What a set tells without being decoded.

    shared_bytes: of the file, that belong to no picture: networks, names, and what is around them. bpp: bits
    of the whole file per pixel of all pictures.
    """

    codec: str
    codec_version: int
    format_version: str
    file_bytes: int
    shared_bytes: int
    bpp: float
    pictures: tuple[SetPicture, ...]
