"""Efforts and the schedule of a fit: how many steps, which model, how learning rate and noise go down."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

CHUNK = 20
"""Steps between two looks at progress and targets; settings are constant within a chunk."""

# Model indices by architecture and by rate (lambda below 6e-4, below 4e-3, above).
LAMBDA_EDGES = (6e-4, 4e-3)
MODELS = {"small": (0, 0, 0), "medium": (3, 1, 4), "large": (5, 2, 6)}
SMALLER = {"large": "medium"}
"""What stands in for an architecture above the last edge, where its parameters cost more than they save."""
SMALLER_BITS = 96_000
"""Of latents, from which on they save more even there (decision 19)."""
SMALLER_STEPS = 1.6
"""How many times as many steps that takes in the same time."""
LONG_STEPS = 4000
"""Of the main phase, from which on a fit begins less hot and ends slower (decision 20)."""
THIN_PIXELS, MOST_THIN = 65536, 4
"""Gradients of weights come from so many pixels of each step, or a quarter if that is more (decision 21)."""
COARSE_SHARE = 0.65
"""Steps at half the size, above the last edge, for each step of the main phase; one costs a quarter."""


@dataclass(frozen=True)
class Effort:
    """One effort level: architecture and steps of the main phase, at rates where the architecture pays."""

    model: str
    steps: int


EFFORTS = {
    1: Effort("medium", 200),
    2: Effort("medium", 360),
    3: Effort("medium", 600),
    4: Effort("large", 2000),
    5: Effort("large", 5000),
    6: Effort("large", 8000),
    7: Effort("large", 12000),
    8: Effort("large", 16000),
    9: Effort("large", 20000),
    10: Effort("large", 27000),
}


@dataclass(frozen=True)
class Plan:
    """A fit in full: constants of the main phase and lengths of what goes before and follows.

    ``coarse_steps`` are on the picture at half its size. After the main phase (soft rounding, noise) the
    latents are rounded and the networks alone are fitted for ``network_steps``; they are quantised by the
    curvature that ``probes`` gradients find. Where a size or a PSNR is missed, the latents are annealed
    again in rounds of ``closing_steps`` from ``closing_begin`` of the course on. ``begin``: where in its
    course the main phase begins, 0 to 1. ``foresee``: where in it the networks are quantised on trial, so
    that what that adds is steered for; ``steer_until``: where the multiplier of a target comes to rest.
    """

    steps: int
    network_steps: int
    closing_steps: int
    probes: int
    coarse_steps: int = 0
    begin: float = 0.0
    closing_begin: float = 0.6
    foresee: tuple[float, ...] = ()
    steer_until: float = 1.0
    lr_latents: float = 0.16
    lr_params: float = 0.01
    lr_end: float = 0.02
    temperature: tuple[float, float] = (0.45, 0.05)
    noise: tuple[float, float] = (0.22, 0.15)
    weight_rate: float = 1.0

    def cosine(self, x: float) -> float:
        """Factor of the learning rates at the fraction ``x`` of the main phase."""
        return self.lr_end + (1 - self.lr_end) * 0.5 * (1 + math.cos(math.pi * x))

    def anneal(self, x: float) -> tuple[float, float]:
        """Temperature and noise at the fraction ``x`` of the main phase."""
        (t0, t1), (n0, n1) = self.temperature, self.noise
        return t0 + (t1 - t0) * x, n0 + (n1 - n0) * x


def plan_for(effort: int, architecture: str, lam: float) -> Plan:
    """The plan of an effort level 1..10 for an architecture and a Lagrange multiplier."""
    steps, coarse = float(EFFORTS[effort].steps), 0.0
    if SMALLER.get(EFFORTS[effort].model) == architecture:
        steps *= SMALLER_STEPS
    if lam >= LAMBDA_EDGES[-1]:
        steps /= 1 + COARSE_SHARE / 4
        coarse = COARSE_SHARE * steps
    main = max(1, round(steps / CHUNK)) * CHUNK
    plan = Plan(
        main,
        network_steps=max(CHUNK, main // 20),
        closing_steps=max(2 * CHUNK, main // 10),
        probes=min(300, 30 + main // 20),
        coarse_steps=round(coarse / CHUNK) * CHUNK,
    )
    if main < LONG_STEPS:
        return plan
    # Latents of the second half of this course hardly follow a multiplier that moves.
    return replace(
        plan, lr_end=0.001, temperature=(0.35, 0.05), closing_begin=0.8, foresee=(0.2, 0.4), steer_until=0.6
    )


def thinning(pixels: int) -> int:
    """One in how many pieces of a picture of so many pixels gives gradients of weights in each step."""
    return max(1, min(MOST_THIN, pixels // THIN_PIXELS))


def architecture_for(effort: int, lam: float, bits: Callable[[], float]) -> str:
    """The architecture for an effort level and a Lagrange multiplier.

    bits: what all latents that share its networks are expected to take; called where it matters.
    """
    usual = EFFORTS[effort].model
    if usual in SMALLER and lam >= LAMBDA_EDGES[-1] and bits() < SMALLER_BITS:
        return SMALLER[usual]
    return usual


def model_index(architecture: str, lam: float) -> int:
    """The model of an architecture for a Lagrange multiplier."""
    return MODELS[architecture][sum(lam >= edge for edge in LAMBDA_EDGES)]


def architecture_of(index: int) -> str:
    """The architecture of a model. Raises ValueError for an index that none has."""
    [name] = (name for name, indices in MODELS.items() if index in indices)
    return name


def lambda_of_quality(quality: float) -> float:
    """Lagrange multiplier (of bits per pixel, samples in [0, 1]) for a quality of 0..100, even in its log."""
    return 0.08 * (2.5e-4) ** (quality / 100)


def grid_count(width: int, height: int) -> int:
    """Latent grids for a picture: to 1/64, from 1 Mpx to 1/128, from 3 Mpx to 1/256, fewer if it is tiny."""
    most = 7 + (width * height >= 1_000_000) + (width * height >= 3_000_000)
    return min(most, 1 + math.ceil(math.log2(max(width, height))))
