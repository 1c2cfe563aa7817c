"""The network of the lossless codec (docs/spec/lossless.md): what it knows of pixels before they are coded.

A picture of Y, Co, Cg is cut into its four phases, each of half the size: a is the even pixels of even rows,
and a picture to be coded in the same way before; d, h, v are coded in this order, each from those before it:

    a h     a --- UNet with attention ------------------ context
    v d     a ------------- features --- context --- trunk_d --- Y (two halves of a checkerboard), Co, Cg
            a, d ---------- features --- context --- trunk_h --- ...
            a, d, h ------- features --- context --- trunk_v --- ...

A channel is coded once those before it are known in the whole phase, and its head sees them around each
position. Every sample has a mixture of logistic distributions (Salimans et al. 2017). Levels share the
weights (the recursion of Zhang et al., LC-FDNet 2022, and of SReC, Cao et al. 2020, has others at each).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .fixed_point import VALUE_BITS, Attention, Conv, DoubleConv, Spread, limited, norm_relu, relu, round_to

MIXTURE = 3
"""Logistic distributions to a sample."""
LEVELS = 3
"""Levels told apart; deeper ones count as the last."""
CHANNELS = 3
PHASES = ("d", "h", "v")

NEIGHBOURS: dict[str, tuple[tuple[str, range, range], ...]] = {
    "d": (("a", range(-1, 3), range(-1, 3)),),
    "h": (("a", range(-1, 2), range(-1, 3)), ("d", range(-2, 2), range(-1, 2))),
    "v": (
        ("a", range(-1, 3), range(-1, 2)),
        ("d", range(-1, 2), range(-2, 2)),
        ("h", range(-1, 3), range(-2, 2)),
    ),
}
"""Of each phase, the known samples within three pixels: rows and columns in the grid of each known phase."""
NEAREST: dict[str, tuple[tuple[str, int, int], ...]] = {
    "d": (("a", 0, 0), ("a", 0, 1), ("a", 1, 0), ("a", 1, 1)),
    "h": (("a", 0, 0), ("a", 0, 1), ("d", -1, 0), ("d", 0, 0)),
    "v": (("a", 0, 0), ("a", 1, 0), ("d", 0, -1), ("d", 0, 0)),
}
"""The four samples whose mean is the base of each phase."""
MARGIN = 2


@dataclass(frozen=True)
class Sizes:
    """Channels at the three resolutions of the UNet, of the trunks, and of the heads."""

    full: int = 64
    half: int = 96
    quarter: int = 128
    hidden: int = 64
    trunk_blocks: tuple[int, int, int] = (1, 2, 2)


@dataclass(frozen=True)
class Known:
    """What the known samples say of a phase: all (B, ..., h, w), in grey levels.

    base: (B, 3, h, w), the mean of the nearest. spread: (B, 3, h, w), the mean distance from it, and a
    quarter. features: (B, 3 * neighbours + 6, h, w), differences from the base over the spread, its
    logarithm, the base.
    """

    base: Tensor
    spread: Tensor
    features: Tensor


def phases_of(level: Tensor) -> dict[str, Tensor]:
    """level (B, 3, 2h, 2w): its phases (B, 3, h, w)."""
    return {
        "a": level[..., ::2, ::2],
        "h": level[..., ::2, 1::2],
        "v": level[..., 1::2, ::2],
        "d": level[..., 1::2, 1::2],
    }


def known_of(phase: str, planes: dict[str, Tensor], dtype: torch.dtype = torch.float32) -> Known:
    """planes: at least the phases before this one, (B, 3, h, w) float32 of integers. dtype: of features."""
    height, width = planes["a"].shape[-2:]
    padded = {name: F.pad(p, (MARGIN,) * 4, mode="replicate") for name, p in planes.items()}

    def shifted(name: str, dy: int, dx: int) -> Tensor:
        return padded[name][..., MARGIN + dy : MARGIN + dy + height, MARGIN + dx : MARGIN + dx + width]

    base = torch.stack([shifted(*place) for place in NEAREST[phase]]).sum(0) / 4
    samples = torch.stack(
        [shifted(name, dy, dx) for name, rows, columns in NEIGHBOURS[phase] for dy in rows for dx in columns],
        1,
    )
    differences = samples - base[:, None]
    spread = differences.abs().mean(1) + 0.25
    ratios = round_to(differences / spread[:, None], VALUE_BITS)
    logs = round_to((torch.log2(spread) - 2) / 2, VALUE_BITS)
    tone = round_to(base / 128, VALUE_BITS)
    features = torch.cat([ratios.flatten(1, 2), logs, tone], 1)
    return Known(base, spread, features.to(dtype, memory_format=torch.channels_last))


def feature_count(phase: str) -> int:
    """Features of a phase."""
    return CHANNELS * (sum(len(rows) * len(columns) for _, rows, columns in NEIGHBOURS[phase]) + 2)


class LevelConv(Conv):
    """A 1x1 layer with a bias for each level."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, gain=1.4)
        self.of_level = nn.Parameter(torch.zeros(LEVELS, outputs))

    def at(self, x: Tensor, level: Tensor) -> Tensor:
        """x (B, inputs, h, w), level (B) of 0..LEVELS-1."""
        chosen = level[:, None] == torch.arange(LEVELS, device=level.device)
        return self(x) + (chosen.to(x.dtype) @ self.of_level.to(x.dtype))[:, :, None, None]


class UNet(nn.Module):
    """Features of phase a to context, (B, full, h, w); h and w multiples of 4."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        full, half, quarter = sizes.full, sizes.half, sizes.quarter
        self.stem = LevelConv(feature_count("d"), full)
        self.down_full = DoubleConv(full, full)
        self.down_half = DoubleConv(full, half)
        self.down_quarter = DoubleConv(half, quarter)
        self.attention = Attention(quarter)
        self.spread_half = Spread(quarter, half)
        self.up_half = DoubleConv(2 * half, half)
        self.spread_full = Spread(half, full)
        self.up_full = DoubleConv(2 * full, full)

    def forward(self, features: Tensor, level: Tensor) -> Tensor:
        full = self.down_full(norm_relu(self.stem.at(features, level)))
        half = self.down_half(F.max_pool2d(full, 2))
        quarter = self.attention(self.down_quarter(F.max_pool2d(half, 2)))
        half = self.up_half(torch.cat([half, self.spread_half(quarter)], 1))
        return self.up_full(torch.cat([full, self.spread_full(half)], 1))


class Head(nn.Module):
    """Parameters of one channel, from the trunk and from residuals known around each position."""

    def __init__(self, sizes: Sizes, known: int) -> None:
        super().__init__()
        self.trunk = Conv(sizes.full, sizes.hidden, gain=1.4)
        self.known = Conv(known, sizes.hidden, 3) if known else None
        self.hidden = Conv(sizes.hidden, sizes.hidden, gain=1.4)
        self.out = Conv(sizes.hidden, 3 * MIXTURE, gain=0.1)
        with torch.no_grad():
            assert self.out.bias is not None
            self.out.bias[MIXTURE : 2 * MIXTURE] = torch.linspace(-0.3, 0.3, MIXTURE)
            self.out.bias[2 * MIXTURE :] = torch.linspace(-2.0, 0.0, MIXTURE)

    def forward(self, trunk: Tensor, known: Tensor | None) -> Tensor:
        """trunk (B, full, h, w), known (B, known, h, w): (B, 3 * MIXTURE, h, w) float32."""
        state = self.trunk(trunk)
        if self.known is not None:
            state = state + self.known(known)
        state = relu(self.hidden(relu(state)))
        parameters: Tensor = self.out(state.float())
        return parameters


class Trunk(nn.Module):
    """One phase: context and features to the parameters of its four codings (Y twice, Co, Cg)."""

    def __init__(self, sizes: Sizes, phase: str, blocks: int) -> None:
        super().__init__()
        self.stem = LevelConv(feature_count(phase), sizes.full)
        self.context = Conv(sizes.full, sizes.full)
        self.blocks = nn.ModuleList(DoubleConv(sizes.full, sizes.full) for _ in range(blocks))
        self.heads = nn.ModuleList(Head(sizes, known) for known in (0, 1, 1, 2))

    def forward(self, features: Tensor, context: Tensor, level: Tensor) -> Tensor:
        state = norm_relu(self.stem.at(features, level) + self.context(context))
        for block in self.blocks:
            state = block(state)
        return state


def checkerboard(like: Tensor) -> Tensor:
    """True where Y is coded first: (h, w), of the last two sizes of ``like``."""
    rows = torch.arange(like.shape[-2], device=like.device)[:, None]
    columns = torch.arange(like.shape[-1], device=like.device)
    return (rows + columns) % 2 == 0


class Lossless(nn.Module):
    """All of it. ``forward`` is for training: bits of the three phases of a level."""

    def __init__(self, sizes: Sizes | None = None) -> None:
        super().__init__()
        self.sizes = sizes = sizes or Sizes()
        self.unet = UNet(sizes)
        self.trunks = nn.ModuleDict(
            {p: Trunk(sizes, p, n) for p, n in zip(PHASES, sizes.trunk_blocks, strict=True)}
        )

    def forward(self, pixels: Tensor, level: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """pixels: (B, 3, H, W) float32 of integers Y 0..255, Co, Cg -255..255, H and W multiples of 8.

        level: (B). dtype: of the layers' numbers, but for the parameters of distributions. Returns bits
        (B, 3), of Y, Co and Cg of phases d, h and v.
        """
        planes = phases_of(pixels)
        with torch.no_grad():
            knowns = [known_of(phase, planes, dtype) for phase in PHASES]
        context = self.unet(knowns[0].features, level)
        params = [
            self._phase(phase, known, context, planes[phase], level)
            for phase, known in zip(PHASES, knowns, strict=True)
        ]
        bits = mixture_bits(
            torch.stack(params),
            torch.stack([known.base for known in knowns]),
            torch.stack([known.spread for known in knowns]),
            torch.stack([planes[phase] for phase in PHASES]),
            -255.0 * (torch.arange(CHANNELS, device=pixels.device) > 0).view(CHANNELS, 1, 1),
        )
        return bits.sum((0, 3, 4))

    def _phase(self, phase: str, known: Known, context: Tensor, samples: Tensor, level: Tensor) -> Tensor:
        trunk = self.trunks[phase]
        assert isinstance(trunk, Trunk)
        state = trunk(known.features, context, level)
        with torch.no_grad():
            residuals = limited((samples - known.base) / known.spread, VALUE_BITS).to(state.dtype)
            first = checkerboard(samples)
            y = residuals[:, :1]
        heads = trunk.heads
        params = (
            torch.where(first, heads[0](state, None), heads[1](state, y * first)),
            heads[2](state, y),
            heads[3](state, residuals[:, :2]),
        )
        return torch.stack(params, 1)


def mixture_bits(params: Tensor, base: Tensor, spread: Tensor, samples: Tensor, lowest: Tensor) -> Tensor:
    """Bits (..., h, w) of samples in lowest..255; all (..., h, w), params (..., 3 * MIXTURE, h, w) float32.

    params: logarithms to base 2 of weights, places from the base over the spread, and logarithms to base 2 of
    scales over the spread. The first and the last sample have what lies beyond them.
    """
    weight, place, scale = params.split(MIXTURE, -3)
    base, spread, samples = base.unsqueeze(-3), spread.unsqueeze(-3), samples.unsqueeze(-3)
    inverse = torch.exp2(-(torch.log2(spread) + scale).clamp(-4.0, 11.0))
    x = samples - (base + spread * place)
    # Both sides are seen from the tail that is near, so that their difference keeps its digits.
    side = torch.where(x > 0, -1.0, 1.0)
    near, far = torch.sigmoid((side * x + 0.5) * inverse), torch.sigmoid((side * x - 0.5) * inverse)
    lowest = lowest.unsqueeze(-3)
    last = torch.where(x > 0, samples <= lowest, samples >= 255.0)
    first = torch.where(x > 0, samples >= 255.0, samples <= lowest)
    mass = torch.where(last, 1.0, near) - torch.where(first, 0.0, far)
    probability = (torch.softmax(weight * 0.6931471805599453, -3) * mass).sum(-3)
    return -torch.log2(probability.clamp(min=0) + 2.0**-23)
