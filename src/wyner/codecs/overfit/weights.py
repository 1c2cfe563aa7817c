"""Quantisation of the networks: one power-of-two step and one scale of the prior per group of parameters.

The steps come from a closed form, not from a search over full passes. Quantising group g with step D adds
about c_g D^2 to the loss, c_g measured by one disturbed pass; it costs -lambda n_g log2(D) / pixels in rate.
The sum is least at D^2 = lambda n_g / (2 ln(2) c_g pixels); only the neighbours of that step are then tried.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ... import _native
from .model import GROUPS, Floats, Ints, Model, row_sums

MAX_STEP_BITS = 12
MIN_STEP_BITS = 3
SCALE_RANGE = range(-24, 33)
Loss = Callable[[Floats], float]
"""Loss of the hard-rounded picture (mse + lambda * latent bits / pixels) with the given parameters."""


@dataclass(frozen=True)
class QuantisedWeights:
    """Integers of the networks: ``params`` (int32, stream order) of k[g] fractional bits; scales ``s``."""

    k: tuple[int, ...]
    s: tuple[int, ...]
    params: Ints
    bits: float

    def values(self, model: Model) -> Floats:
        """The parameters as real numbers."""
        return np.ldexp(self.params.astype(np.float32), -np.asarray(self.k)[model.group])


def quantise_group(model: Model, params: Floats, group: int, k: int) -> Ints:
    """Nearest integers of the parameters of one group at ``k`` fractional bits; others 0."""
    q = np.floor(np.ldexp(params.astype(np.float64), k) + 0.5).clip(-32767, 32767).astype(np.int32)
    return np.where((model.group == group) & model.coded, q, 0).astype(np.int32)


def quantise(model: Model, params: Floats, k: Sequence[int]) -> Ints:
    """Nearest integers of all parameters at ``k[g]`` fractional bits for group g."""
    zero = np.zeros(params.size, np.int32)
    return sum((quantise_group(model, params, g, k[g]) for g in range(GROUPS)), zero)


def _largest_k(model: Model, params: Floats, group: int) -> int:
    """The most fractional bits with which no accumulator of the group can overflow (section 6)."""
    biggest = float(np.abs(params[model.group == group]).max(initial=0.0))
    limit = min(32767 / max(biggest, 1e-9), 65000 / max(row_sums(model, params, group), 1e-9))
    return max(0, min(MAX_STEP_BITS, math.floor(math.log2(limit))))


def _best_scales(model: Model, k: list[int], params: Ints) -> tuple[list[int], np.ndarray]:
    """Per group, the scale of the prior that codes the group in fewest bits, and those bits."""
    table = np.array(
        [_native.overfit_delta_bits(model.index, model.grids, k, [s] * GROUPS, params) for s in SCALE_RANGE]
    )
    # The header codes s itself, at about 1/4 bit and a bit more for every 1.4 away from 0.
    side = np.abs(np.array(SCALE_RANGE)) * (math.log2(math.e) / 2**0.5)
    best = np.argmin(table + side[:, None], axis=0)
    return [SCALE_RANGE[i] for i in best], (table + side[:, None])[best, np.arange(GROUPS)]


def _curvature(model: Model, params: Floats, group: int, step: float, base: float, loss: Loss) -> float:
    """c in: loss of quantising ``group`` with step D is about c D^2."""
    chosen = (model.group == group) & model.coded
    rng = np.random.default_rng(group)
    disturbed = params + np.where(chosen, (rng.random(params.size) - 0.5) * step, 0).astype(np.float32)
    return max(loss(disturbed.astype(np.float32)) - base, 1e-12) / step**2


def quantise_weights(model: Model, params: Floats, lam: float, pixels: int, loss: Loss) -> QuantisedWeights:
    """Choose steps and scales, and quantise. About 50 evaluations of ``loss``.

    params: float32, stream order. lam: Lagrange multiplier of bits per pixel. pixels: of the picture.
    """
    base = loss(params)
    rate = lam / pixels
    k = [0] * GROUPS
    for g in range(GROUPS):
        count = int(((model.group == g) & model.coded).sum())
        most = _largest_k(model, params, g)
        if count:
            c = _curvature(model, params, g, 2.0 ** -min(model.kdef[g], most), base, loss)
            ideal = 0.5 * math.log2(2 * math.log(2) * c / (rate * count))
            k[g] = min(most, max(MIN_STEP_BITS, round(ideal)))
    k[3] = min(k[3], min(k[0], k[1], k[2]) + 4)
    k[9] = min(k[9], min(k[7], k[8]) + 2)
    k[11] = min(k[11], k[10] + 10)
    return _refine(model, params, k, rate, loss)


def _refine(model: Model, params: Floats, k: list[int], rate: float, loss: Loss) -> QuantisedWeights:
    """Try one bit more and one less for each group, the others quantised as they are."""

    def cost(steps: list[int]) -> tuple[float, Ints, list[int], float]:
        integers = quantise(model, params, steps)
        s, bits = _best_scales(model, steps, integers)
        values = QuantisedWeights(tuple(steps), tuple(s), integers, float(bits.sum())).values(model)
        return loss(values) + rate * float(bits.sum()), integers, s, float(bits.sum())

    best = cost(k)
    for g in range(GROUPS):
        for change in (-1, 1):
            trial = list(k)
            trial[g] += change
            while MIN_STEP_BITS <= trial[g] <= _largest_k(model, params, g) and _consistent(trial):
                result = cost(trial)
                if result[0] >= best[0]:
                    break
                best, k = result, list(trial)
                trial[g] += change
    return QuantisedWeights(tuple(k), tuple(best[2]), best[1], best[3])


def _consistent(k: list[int]) -> bool:
    """The shifts of section 6 for the smallest fa (4) and fu (2) that a file may use."""
    return (
        k[3] <= min(k[0], k[1], k[2]) + 4
        and k[9] <= min(k[7], k[8]) + 2
        and k[11] <= k[10] + 10
        and k[8] >= 4
    )


def network_bits(model: Model, params: Floats) -> float:
    """About how many bits the networks will take, at the model's usual steps."""
    steps = list(model.kdef)
    integers = quantise(model, params, steps)
    return float(_best_scales(model, steps, integers)[1].sum())
