"""Quantisation of the networks: integers one after another, each error made good by those still to come.

Parameters of a network can stand in for each other, so rounding each to its nearest integer wastes bits. With
the Hessian H = R R^T of the loss, R upper triangular, and errors d, the loss is |R^T d|^2 / 2, and entry i of
R^T d holds only errors up to the i-th. So an error e of parameter i leaves (R_ii e)^2 / 2 once all later ones
have been changed for the best (nearest plane, Babai 1986; for networks Frantar et al. 2022, "GPTQ"). Here
each integer is chosen for that loss and its own bits together.

Steps are powers of two, one for each group of parameters. A step D over group g costs about
D^2 / 24 * sum R_ii^2 in loss and n_g log2(1 / D) in bits: that gives D, and its neighbours are then tried.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ... import _native
from .curvature import Block, Gradient, curvature
from .model import GROUPS, MEAN_BITS, Floats, Ints, Model, row_sums

MAX_STEP_BITS = 12
MIN_STEP_BITS = 1
MAX_ROW_SUM = 65000  # of absolute integers that meet in one accumulator
NEAREST_EXCESS = 0.7  # of the bits of plain rounding remain when errors make each other good
SCALE_RANGE = range(-24, 33)
Index = npt.NDArray[np.intp]
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
    limit = min(32767 / max(biggest, 1e-9), MAX_ROW_SUM / max(row_sums(model, params, group), 1e-9))
    return max(0, min(MAX_STEP_BITS, math.floor(math.log2(limit))))


def prior_mean(model: Model, index: Index, bits: Ints) -> Ints:
    """Prior means of the parameters ``index`` as integers of ``bits`` fractional bits (section 5)."""
    shift = MEAN_BITS - bits
    return ((model.mean[index] + (1 << shift >> 1)) >> shift).astype(np.int32)


def prior_scale(model: Model, index: Index, bits: Ints, s: Ints | np.int32) -> Ints:
    """Scale indices of the symbols of the parameters ``index`` (section 5)."""
    scale = 80 - 16 * MEAN_BITS + model.scale[index] + 16 * bits + 4 * s
    return scale.clip(0, 208).astype(np.int32)


def _best_scales(model: Model, k: Sequence[int], params: Ints) -> tuple[list[int], np.ndarray]:
    """Per group, the scale of the prior that codes the group in fewest bits, and those bits."""
    index = np.flatnonzero(model.coded)
    group = model.group[index]
    bits: Ints = np.asarray(k, np.int32)[group]
    symbols = params[index] - prior_mean(model, index, bits)
    table = np.array(
        [
            np.bincount(
                group, _native.laplace_bits(symbols, prior_scale(model, index, bits, np.int32(s))), GROUPS
            )
            for s in SCALE_RANGE
        ]
    )
    # The header codes s itself, at about 1/4 bit and a bit more for every 1.4 away from 0.
    side = np.abs(np.array(SCALE_RANGE)) * (math.log2(math.e) / 2**0.5)
    best = np.argmin(table + side[:, None], axis=0)
    return [SCALE_RANGE[i] for i in best], (table + side[:, None])[best, np.arange(GROUPS)]


class _Quantiser:
    """Quantises one set of parameters again and again, with different steps."""

    def __init__(self, model: Model, params: Floats, rate: float, blocks: Sequence[Block]) -> None:
        self.model, self.rate = model, rate
        self.most = [_largest_k(model, params, g) for g in range(GROUPS)]
        self.orders, self.factors, self.weights = [], [], []
        spread = np.exp2(model.scale / 16.0 - MEAN_BITS)
        for block in blocks:
            # The prior of a parameter holds it near its mean where the loss does not care.
            hessian = block.hessian + np.diag(rate * math.log2(math.e) / spread[block.index] ** 2)
            order = np.argsort(-np.diag(hessian), kind="stable")
            self.orders.append(block.index[order])
            self.factors.append(_native.upper_factor(np.ascontiguousarray(hessian[np.ix_(order, order)])))
            self.weights.append(params[block.index[order]].astype(np.float64))

    def ideal_steps(self) -> list[int]:
        """Fractional bits of each group by the closed form."""
        k = []
        group = np.concatenate([self.model.group[order] for order in self.orders])
        curvature = np.concatenate([np.diag(factor) ** 2 for factor in self.factors])
        for g in range(GROUPS):
            members = curvature[group == g]
            ideal = 0.0
            if members.size:
                ideal = 0.5 * math.log2(members.mean() / (12 * self.rate * math.log2(math.e)))
            k.append(min(self.most[g], max(MIN_STEP_BITS, round(ideal))))
        k[3] = min(k[3], min(k[0], k[1], k[2]) + 4)
        k[9] = min(k[9], min(k[7], k[8]) + 2)
        k[11] = min(k[11], k[10] + 10)
        return k

    def integers(self, k: Sequence[int], s: Sequence[int]) -> Ints:
        """Integers for the steps ``k``, coded with the scales ``s``."""
        out = np.zeros(self.model.group.size, np.int32)
        for order, factor, weights in zip(self.orders, self.factors, self.weights, strict=True):
            group = self.model.group[order]
            bits: Ints = np.asarray(k, np.int32)[group]
            mean = prior_mean(self.model, order, bits)
            scale = prior_scale(self.model, order, bits, np.asarray(s, np.int32)[group])
            out[order] = _native.round_in_turn(weights, factor, bits, mean, scale, self.rate)
        return out


def quantise_weights(
    model: Model,
    params: Floats,
    lam: float,
    pixels: int,
    loss: Loss,
    gradient: Gradient,
    probes: int,
    steps: Sequence[int] | None = None,
) -> QuantisedWeights:
    """Choose steps and scales, and quantise. Takes ``probes + 1`` gradients and about 30 losses.

    params: float32, stream order. lam: Lagrange multiplier of bits per pixel. pixels: of the picture. steps:
    fractional bits of each group; None to choose them.
    """
    rate = lam / pixels
    quantiser = _Quantiser(model, params, rate, curvature(model, params, gradient, probes))

    def cost(k: list[int], s: Sequence[int]) -> tuple[float, QuantisedWeights]:
        integers = quantiser.integers(k, s)
        scales, bits = _best_scales(model, k, integers)
        weights = QuantisedWeights(tuple(k), tuple(scales), integers, float(bits.sum()))
        if not _in_bounds(model, weights):
            return math.inf, weights
        return loss(weights.values(model)) + rate * weights.bits, weights

    k = quantiser.ideal_steps() if steps is None else list(steps)
    best = cost(k, (0,) * GROUPS)
    while math.isinf(best[0]) and max(k) > MIN_STEP_BITS:
        k = [max(MIN_STEP_BITS, bits - 1) for bits in k]
        best = cost(k, (0,) * GROUPS)
    best = min(best, cost(list(best[1].k), best[1].s), key=lambda found: found[0])
    if steps is not None:
        return best[1]
    for g in range(GROUPS):
        for change in (-1, 1):
            k = list(best[1].k)
            k[g] += change
            while MIN_STEP_BITS <= k[g] <= quantiser.most[g] and _consistent(k):
                found = cost(k, best[1].s)
                if found[0] >= best[0]:
                    break
                best, k = found, list(k)
                k[g] += change
    return best[1]


def _in_bounds(model: Model, weights: QuantisedWeights) -> bool:
    """Whether no accumulator can overflow (section 6)."""
    values = weights.values(model)
    return bool(np.abs(weights.params).max() <= 32767) and all(
        math.ldexp(row_sums(model, values, g), weights.k[g]) <= MAX_ROW_SUM for g in range(GROUPS)
    )


def _consistent(k: list[int]) -> bool:
    """Whether shifts agree as section 6 asks, with some fa of 4 to 11 and fu of 2 to 11."""
    return (
        k[3] <= min(k[0], k[1], k[2]) + 4
        and k[9] <= min(k[7], k[8]) + 2
        and k[11] <= k[10] + 10
        and k[8] >= 4
    )


def network_bits(model: Model, params: Floats) -> float:
    """About how many bits the networks will take: rounded at the usual steps, less what quantising saves."""
    steps = list(model.kdef)
    return NEAREST_EXCESS * float(_best_scales(model, steps, quantise(model, params, steps))[1].sum())
