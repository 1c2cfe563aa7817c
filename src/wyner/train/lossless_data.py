"""Crops for the training of the lossless codec, at all levels of pictures, some with coarse chroma."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from ..errors import UsageError
from .loop import Draw
from .pictures import cut, open_pictures, to_tensor

HELD_OUT = 16
"""The first picture of so many, in the order of names, is not trained on and measures progress."""

LEVEL_ODDS = (0.6, 0.28, 0.12)
"""How often each level is drawn. What it weighs in the loss is its part of a picture's samples over this."""
LEVEL_PARTS = (0.75, 0.1875, 0.0625)
CHROMA_GROUPS = 8
"""Crops of a batch get coarse chroma in so many ways."""


@dataclass(frozen=True)
class Version:
    """A source of crops: pictures of one kind at one scale. level: the finest that they serve for."""

    scale: float
    level: int = 0


EXACT = (Version(1.0), Version(0.6))
"""Pictures as they were taken: PNG, and WebP, which is taken to be without loss."""
LOSSY = (Version(0.45), Version(0.6), Version(1.0, level=1))
"""JPEG: smaller, or with pixels left out, so that what the codec left is gone."""
LOSSY_FORMATS = ("JPEG", "MPO")

Sources = dict[tuple[bool, Version], list[Tensor]]
"""Pictures uint8 RGB (3, H, W) by whether they were lossy and by version."""


def read_sources(paths: list[Path]) -> tuple[Sources, Sources]:
    """The pictures of folders and tar shards: to train on, and held out. Raises as ``open_pictures``."""
    trained: Sources = {}
    held_out: Sources = {}
    for number, picture in enumerate(open_pictures(paths)):
        part = trained if number % HELD_OUT else held_out
        lossy = picture.format in LOSSY_FORMATS
        whole = picture.convert("RGB")
        for version in LOSSY if lossy else EXACT:
            width, height = (max(1, round(side * version.scale)) for side in whole.size)
            # At scale 1 this is a copy.
            smaller = whole.resize((width, height), Image.Resampling.LANCZOS)
            part.setdefault((lossy, version), []).append(to_tensor(smaller))
    return trained, held_out


class Batch(NamedTuple):
    """pixels (B, 3, S, S) float32 of integers Y, Co, Cg; level (B); weight (B), which averages to 1."""

    pixels: Tensor
    level: Tensor
    weight: Tensor


class Crops:
    """Batches of all levels, which follow from a draw alone."""

    def __init__(
        self,
        sources: Sources,
        size: int,
        device: torch.device,
        *,
        odds: tuple[float, ...] = LEVEL_ODDS,
        coarse_chroma: float = 0.0,
    ) -> None:
        """size: of crops. odds: of each level; their sum is 1. coarse_chroma: part of crops of level 0.

        Raises UsageError for a level that no picture is large enough for.
        """
        self.size, self.device, self.coarse_chroma = size, device, coarse_chroma
        self.edges = np.cumsum(odds)[:-1]
        held = {key: [picture.to(device) for picture in pictures] for key, pictures in sources.items()}
        self.groups = [_usable(held, level, (size - 1) * 2**level + 1) for level in range(len(odds))]
        parts = np.array(LEVEL_PARTS[: len(odds)])
        self.weights = (parts / parts.sum() / odds).astype(np.float32)

    def batch(self, draw: Draw) -> Batch:
        """This rank's part of a step's crops; in the whole batch, finer levels come first."""
        rng = draw.rng
        # Evenly spread, so that each level has within one crop of what its odds say.
        levels = np.searchsorted(self.edges, (np.arange(draw.batch) + rng.random()) / draw.batch, "right")
        chosen = [self._picture(level, rng) for level in levels]
        places, turns = rng.random((draw.batch, 2)), rng.integers(0, 8, draw.batch)
        rows = range(*draw.rows.indices(draw.batch))
        rgb = torch.stack(
            [cut(chosen[k], self.size, places[k], int(turns[k]), 2 ** int(levels[k])) for k in rows]
        ).int()
        self._coarsen(rgb, rows, int((levels == 0).sum()), rng)
        mine = levels[rows.start : rows.stop]
        return Batch(
            to_ycocg(rgb).float(),
            torch.from_numpy(mine).to(self.device),
            torch.from_numpy(self.weights[mine]).to(self.device),
        )

    def _picture(self, level: int, rng: np.random.Generator) -> Tensor:
        groups = self.groups[level]
        group = groups[rng.integers(len(groups))]
        return group[rng.integers(len(group))]

    def _coarsen(self, rgb: Tensor, rows: range, finest: int, rng: np.random.Generator) -> None:
        """Change some of the first ``finest`` crops of the whole batch; ``rgb`` holds those of ``rows``."""
        changed = rng.permutation(finest)[: int(finest * self.coarse_chroma + rng.random())]
        for group in np.array_split(changed, CHROMA_GROUPS):
            way = drawn_chroma(rng)
            if mine := [int(k) - rows.start for k in group if k in rows]:
                rgb[mine] = with_coarse_chroma(rgb[mine], way)


def _usable(sources: Sources, level: int, span: int) -> list[list[Tensor]]:
    groups = [
        [picture for picture in pictures if min(picture.shape[1:]) >= span]
        for (_, version), pictures in sources.items()
        if version.level <= level
    ]
    if not any(groups):
        raise UsageError(f"there are no pictures of {span} pixels a side to train or to measure with")
    return [group for group in groups if group]


def to_ycocg(rgb: Tensor) -> Tensor:
    """rgb (B, 3, H, W) int32 0..255: Y 0..255, Co and Cg -255..255 (YCoCg-R, Malvar and Sullivan 2003)."""
    r, g, b = rgb.unbind(1)
    co = r - b
    t = b + (co >> 1)
    cg = g - t
    return torch.stack([t + (cg >> 1), co, cg], 1)


TO_YCBCR = torch.tensor([[0.299, 0.587, 0.114], [-0.169, -0.331, 0.5], [0.5, -0.419, -0.081]])
FROM_YCBCR = torch.linalg.inv(TO_YCBCR)


@dataclass(frozen=True)
class Chroma:
    """A way to halve chroma and to enlarge it again.

    mean: over neighbours, or else every other sample. mode: "cosited" keeps samples where they were, with
    lines between them; others are modes of torch's ``interpolate``, and take the mean of four. top, left: 0
    or 1, where the grid begins.
    """

    mode: str
    mean: bool = True
    top: int = 0
    left: int = 0


def drawn_chroma(rng: np.random.Generator) -> Chroma:
    """One of the ways that pictures of the world are likely to have gone."""
    mode = str(rng.choice(["cosited", "bilinear", "bicubic", "nearest"], p=[0.5, 0.25, 0.1, 0.15]))
    mean, top, left = (int(n) for n in rng.integers(0, 2, 3))
    return Chroma(mode, mode != "cosited" or bool(mean), top, left)


def with_coarse_chroma(rgb: Tensor, way: Chroma) -> Tensor:
    """rgb (B, 3, H, W) int32 0..255, its chroma (of ITU-R BT.601) halved and enlarged again."""
    planes = torch.einsum("ij,bjhw->bihw", TO_YCBCR.to(rgb.device), rgb.float())
    height, width = rgb.shape[-2:]
    # To even sides, with a sample more at the right and below.
    right, below = 1 + (width + way.left + 1) % 2, 1 + (height + way.top + 1) % 2
    chroma = F.pad(planes[:, 1:], (way.left, right, way.top, below), mode="replicate")
    if way.mode == "cosited":
        if way.mean:
            chroma = F.avg_pool2d(F.pad(chroma, (1, 1, 1, 1), mode="replicate"), 3, 2)
        else:
            chroma = chroma[..., ::2, ::2]
        size = (2 * chroma.shape[-2] - 1, 2 * chroma.shape[-1] - 1)
        chroma = F.interpolate(chroma, size, mode="bilinear", align_corners=True)
    else:
        chroma = F.interpolate(F.avg_pool2d(chroma, 2), scale_factor=2, mode=way.mode)
    chroma = chroma[..., way.top : way.top + height, way.left : way.left + width]
    joined = torch.cat([planes[:, :1], chroma], 1)
    return torch.einsum("ij,bjhw->bihw", FROM_YCBCR.to(rgb.device), joined).round().clamp(0, 255).int()
