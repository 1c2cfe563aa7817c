"""Pictures to train on: read once, held on the device, cut into random crops there."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from ..errors import UsageError, describe
from .loop import Draw


def open_pictures(sources: list[Path]) -> Iterator[Image.Image]:
    """The pictures of folders, with their sub-folders, and of tar shards, in name order.

    A folder may hold shards. Files that are not pictures are left out. Raises UsageError when a source is
    missing, and for a picture, which it names, that cannot be read.
    """
    for source in sources:
        for name, data in _files(source):
            try:
                yield decoded(name, data)
            except UnidentifiedImageError:
                continue


def decoded(name: str, data: bytes) -> Image.Image:
    """The picture of a file. Raises UnidentifiedImageError for what is none, UsageError for a damaged one."""
    try:
        picture = Image.open(io.BytesIO(data))
        picture.load()
    except UnidentifiedImageError:
        raise
    except Exception as error:  # Pillow's readers have no common one
        raise UsageError(f"cannot read {name}: {describe(error)}") from None
    return picture


def to_tensor(picture: Image.Image) -> Tensor:
    """uint8 RGB (3, H, W); transparency is dropped."""
    return torch.from_numpy(np.asarray(picture.convert("RGB")).transpose(2, 0, 1).copy())


def read_pictures(sources: list[Path], least_side: int = 1) -> list[Tensor]:
    """What ``open_pictures`` finds, as of ``to_tensor``, but for pictures with a side below ``least_side``.

    Raises as ``open_pictures``, and UsageError when nothing is left.
    """
    found = [to_tensor(picture) for picture in open_pictures(sources) if min(picture.size) >= least_side]
    if not found:
        raise UsageError(f"no pictures of {least_side} pixels a side in {', '.join(map(str, sources))}")
    return found


def cut(picture: Tensor, size: int, place: npt.NDArray[np.float64], turn: int, step: int = 1) -> Tensor:
    """Every ``step``-th pixel of a square of (C, H, W), turned and mirrored: (C, size, size).

    place: in 0..1, below 1, of its top and left among those possible. turn: 0..7. The sides of the picture
    are at least (size - 1) * step + 1.
    """
    span = (size - 1) * step + 1
    top, left = (int(p * (n - span + 1)) for p, n in zip(place, picture.shape[1:], strict=True))
    crop = picture[:, top : top + span : step, left : left + span : step]
    mirrored = crop.flip([d for d in (1, 2) if turn & d])
    return mirrored.transpose(1, 2) if turn & 4 else mirrored


def _files(source: Path) -> Iterator[tuple[str, bytes]]:
    """Names and contents."""
    if not source.exists():
        raise UsageError(f"there is no {source}")
    if source.is_file():
        paths = [source]
    else:
        paths = sorted(path for path in source.rglob("*") if path.is_file())
    for path in paths:
        if path.suffix != ".tar":
            yield str(path), path.read_bytes()
            continue
        try:
            with tarfile.open(path) as shard:
                for member in sorted(shard.getmembers(), key=lambda m: m.name):
                    if (content := shard.extractfile(member)) is not None:
                        yield f"{path}: {member.name}", content.read()
        except tarfile.TarError as error:
            raise UsageError(f"cannot read {path}: {describe(error)}") from None


class Crops:
    """Random crops, turned and mirrored, of pictures that stay on a device as uint8."""

    def __init__(self, pictures: list[Tensor], size: int, device: torch.device) -> None:
        """pictures: (3, H, W) uint8 with sides of at least ``size``."""
        self.pictures = [picture.to(device) for picture in pictures]
        self.size = size

    def batch(self, draw: Draw) -> Tensor:
        """This rank's part of a step's crops: (rows, 3, size, size) float32 in 0..1."""
        chosen = draw.rng.integers(0, len(self.pictures), draw.batch)
        places = draw.rng.random((draw.batch, 2))
        turns = draw.rng.integers(0, 8, draw.batch)
        crops = [
            cut(self.pictures[chosen[k]], self.size, places[k], int(turns[k]))
            for k in range(*draw.rows.indices(draw.batch))
        ]
        return torch.stack(crops).float() / 255
