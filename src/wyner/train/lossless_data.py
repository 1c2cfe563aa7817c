"""Crops for the training of the lossless codec: levels of pictures, cut and turned on the device."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

LEVEL_ODDS = (0.6, 0.28, 0.12)
"""How often each level is drawn. What a level weighs in the loss is its part of a picture's samples over this."""
LEVEL_PARTS = (0.75, 0.1875, 0.0625)
COARSE_CHROMA = 0.4
"""How many crops of the finest level get chroma of half the resolution, as most pictures of the world have had."""
LOSSY_SCALES = (0.45, 0.6)
"""Pictures that were compressed with loss are made smaller, so that what the codec left is gone."""
EXACT_SCALES = (1.0, 0.6)


@dataclass(frozen=True)
class Batch:
    """pixels (B, 3, S, S) float32 of integers Y, Co, Cg; level (B); weight (B), which averages to 1."""

    pixels: Tensor
    level: Tensor
    weight: Tensor


def to_ycocg(rgb: Tensor) -> Tensor:
    """rgb (B, 3, H, W) int32 0..255: Y 0..255, Co and Cg -255..255 (YCoCg-R, Malvar and Sullivan 2003)."""
    r, g, b = rgb.unbind(1)
    co = r - b
    t = b + (co >> 1)
    cg = g - t
    return torch.stack([t + (cg >> 1), co, cg], 1)


def with_coarse_chroma(rgb: Tensor, rng: np.random.Generator) -> Tensor:
    """rgb (B, 3, H, W) int32 0..255, its chroma (of ITU-R BT.601) reduced to half the size and enlarged again."""
    turn = rgb.new_tensor([[0.299, 0.587, 0.114], [-0.169, -0.331, 0.5], [0.5, -0.419, -0.081]], dtype=torch.float32)
    planes = torch.einsum("ij,bjhw->bihw", turn, rgb.float())
    top, left = (int(n) for n in rng.integers(0, 2, 2))
    height, width = rgb.shape[-2:]
    chroma = F.pad(planes[:, 1:], (left, 1 + (width + left + 1) % 2, top, 1 + (height + top + 1) % 2), mode="replicate")
    kind = rng.choice(["cosited", "bilinear", "bicubic", "nearest"], p=[0.5, 0.25, 0.1, 0.15])
    if kind == "cosited":
        kept = F.avg_pool2d(F.pad(chroma, (1, 1, 1, 1), mode="replicate"), 3, 2) if rng.random() < 0.5 else chroma[..., ::2, ::2]
        size = (2 * kept.shape[-2] - 1, 2 * kept.shape[-1] - 1)
        chroma = F.interpolate(kept, size, mode="bilinear", align_corners=True)
    else:
        even = chroma[..., : chroma.shape[-2] // 2 * 2, : chroma.shape[-1] // 2 * 2]
        chroma = F.interpolate(F.avg_pool2d(even, 2), scale_factor=2, mode=str(kind))
    chroma = chroma[..., top : top + height, left : left + width]
    back = torch.linalg.inv(turn)
    joined = torch.cat([planes[:, :1], chroma], 1)
    return torch.einsum("ij,bjhw->bihw", back, joined).round().clamp(0, 255).int()


def is_exact(path: Path) -> bool:
    """Whether the file holds its pixels as they were taken: PNG, or WebP, which these sets use without loss."""
    return path.suffix.lower() in (".png", ".webp")


class Pictures:
    """Pictures of one source at one scale on a device, in one tensor, each in its corner."""

    def __init__(self, paths: Iterable[Path], scale: float, device: str) -> None:
        arrays = []
        for path in paths:
            with Image.open(path) as picture:
                image = picture.convert("RGB")
            if scale != 1:
                size = (round(image.width * scale), round(image.height * scale))
                image = image.resize(size, Image.Resampling.LANCZOS)
            arrays.append(np.asarray(image).transpose(2, 0, 1))
        self.heights = torch.tensor([a.shape[1] for a in arrays], device=device)
        self.widths = torch.tensor([a.shape[2] for a in arrays], device=device)
        pixels = np.zeros((len(arrays), 3, int(self.heights.max()), int(self.widths.max())), np.uint8)
        for into, a in zip(pixels, arrays, strict=True):
            into[:, : a.shape[1], : a.shape[2]] = a
        self.pixels = torch.from_numpy(pixels).to(device)

    def smallest_side(self) -> int:
        return int(min(self.heights.min(), self.widths.min()))

    def crops(self, count: int, size: int, step: int, generator: torch.Generator) -> Tensor:
        """Every ``step``-th pixel of random squares, mirrored at random: (count, 3, size, size) int32."""
        device = self.pixels.device

        def random(high: Tensor | int) -> Tensor:
            return (torch.rand(count, device=device, generator=generator) * high).long()

        which = random(len(self.pixels))
        span = (size - 1) * step + 1
        reach = torch.arange(size, device=device) * step

        def places(extent: Tensor) -> Tensor:
            start = random(extent[which] - span + 1)[:, None]
            forward = random(2)[:, None] == 1
            return start + torch.where(forward, reach, reach.flip(0))

        rows, columns = places(self.heights), places(self.widths)
        channels = torch.arange(3, device=device)[None, :, None, None]
        found = self.pixels[which[:, None, None, None], channels, rows[:, None, :, None], columns[:, None, None, :]]
        turned = random(2)[:, None, None, None] == 1
        return torch.where(turned, found.transpose(2, 3), found).int()


class Crops:
    """Batches of all levels from a folder's pictures, the same for the same seed and step on one device."""

    def __init__(
        self, paths: list[Path], device: str, *, size: int = 128, seed: int = 0, odds: tuple[float, ...] = LEVEL_ODDS,
        coarse: float = COARSE_CHROMA,
    ) -> None:
        """odds: of each level; their sum is 1. coarse: the part of crops with coarse chroma."""
        exact = [p for p in paths if is_exact(p)]
        lossy = [p for p in paths if not is_exact(p)]
        sources = [(exact, s) for s in EXACT_SCALES] + [(lossy, s) for s in (*LOSSY_SCALES, 1.0)]
        self.sources = [(Pictures(files, s, device), s) for files, s in sources if files]
        self.lossy_whole = (lossy, 1.0) in sources and bool(lossy)
        self.size, self.seed, self.device, self.odds, self.coarse = size, seed, device, odds, coarse
        self.generator = torch.Generator(device=device)

    def _usable(self, level: int) -> list[Pictures]:
        step = 2**level
        found = [p for p, _ in self.sources if p.smallest_side() >= (self.size - 1) * step + 1]
        # Whole pictures that were compressed with loss serve only where pixels are left out.
        if level == 0 and self.lossy_whole and self.sources[-1][0] in found:
            found.remove(self.sources[-1][0])
        if not found:
            raise ValueError(f"no source has pictures of {(self.size - 1) * step + 1} pixels a side")
        return found

    def batch(self, step: int, count: int) -> Batch:
        self.generator.manual_seed(self.seed * 1_000_003 + step)
        rng = np.random.default_rng((self.seed, step))
        counts = [int(np.floor(count * odds + rng.random())) for odds in self.odds]
        counts[0] = count - sum(counts[1:])
        parts, levels = [], []
        for level, number in enumerate(counts):
            usable = self._usable(level)
            numbers = np.bincount(rng.integers(0, len(usable), number), minlength=len(usable))
            for source, n in zip(usable, numbers, strict=True):
                if n:
                    parts.append(source.crops(int(n), self.size, 2**level, self.generator))
            levels += [level] * number
        parts_of = LEVEL_PARTS if len(self.odds) > 1 else (1.0,)
        weights = [parts_of[level] / self.odds[level] for level in levels]
        pixels = torch.cat(parts)
        changed = int(counts[0] * self.coarse + rng.random())
        if changed:  # those of one kind of source come first: any of them
            which = torch.from_numpy(rng.permutation(counts[0])[:changed]).to(self.device)
            for few in which.split(max(1, count // 8)):
                pixels[few] = with_coarse_chroma(pixels[few], rng)
        return Batch(
            to_ycocg(pixels).float(),
            torch.tensor(levels, device=self.device),
            torch.tensor(weights, device=self.device),
        )
