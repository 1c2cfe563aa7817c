"""The fit of one picture: gradient descent on latents and networks, then integers, then a payload.

probe (targets only) --> main phase --> networks alone --> quantise networks --> payload
                         soft rounding, noise   hard rounding        <-- latents alone, if a target is missed
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field

import numpy as np

from ... import _native
from ..base import Progress, ProgressCallback, Settings
from .goal import Goal, psnr_db, steered
from .model import Floats, Model, load_model
from .schedule import CHUNK, Plan, grid_count, model_index, plan_for
from .stream import Coded, Picture, code, round_latents
from .weights import QuantisedWeights, network_bits, quantise_weights

PROBE_STEPS = 100
TOLERANCE = 0.01
CLOSING_ROUNDS = 10


@dataclass
class _Fit:
    """State of one fit. ``lam`` moves only when a size or a PSNR is asked for."""

    picture: Picture
    image: Floats  # (C, H, W) in [0, 1]
    settings: Settings
    goal: Goal
    plan: Plan
    lam: float
    progress: ProgressCallback | None
    model: Model = field(init=False)
    fitter: _native.Fitter = field(init=False)
    network_bits: float = 0.0
    done: int = 0
    started: float = field(default_factory=time.monotonic)

    @property
    def pixels(self) -> int:
        return self.picture.width * self.picture.height

    @property
    def total_steps(self) -> int:
        return self.plan.steps + self.plan.network_steps

    def begin(self) -> None:
        """A fresh fitter with the model for the present multiplier."""
        grids = grid_count(self.picture.width, self.picture.height)
        self.model = load_model(model_index(self.settings.effort, self.lam), grids)
        self.fitter = _native.Fitter(
            self.image, self.model.index, grids, self.settings.threads, self.settings.seed
        )
        self.network_bits = network_bits(self.model, self.fitter.get_params())

    def report(self, phase: str, bits: float, mse: float) -> None:
        """Tell the caller where the fit stands; an exception of theirs ends it."""
        if self.progress is None:
            return
        elapsed = time.monotonic() - self.started
        left = max(self.total_steps - self.done, 0)
        bpp = (bits + self.network_bits + 8 * self.settings.overhead_bytes) / self.pixels
        eta = elapsed / max(self.done, 1) * left
        self.progress(
            Progress(min(self.done, self.total_steps), self.total_steps, bpp, psnr_db(mse), eta, phase)
        )

    def run(
        self, steps: int, lr: tuple[float, float], soft: tuple[float, float] | None
    ) -> tuple[float, float]:
        """Optimiser steps; lr of (latents, networks); soft = (temperature, noise) or None to round hard."""
        temperature, noise = soft or (0.0, 0.0)
        mse, bits = self.fitter.run(
            steps, lr[0], lr[1], temperature, noise, self.lam, soft is None, self.plan.weight_rate
        )
        if not math.isfinite(mse + bits):
            raise FloatingPointError("the fit diverged; another seed or a lower effort may help")
        return mse, bits

    def steer(self, bits: float, mse: float, gain: float) -> None:
        self.lam = steered(self.lam, self.goal.log_error(bits + self.network_bits, mse), gain)


def _probe(fit: _Fit) -> None:
    """Find roughly the multiplier of a target, so that the right model is begun with."""
    fit.begin()
    for step in range(0, PROBE_STEPS, CHUNK):
        soft = fit.plan.anneal(0.5)
        mse, bits = fit.run(CHUNK, (fit.plan.lr_latents, fit.plan.lr_params), soft)
        if step >= CHUNK:
            # A young fit spends about a quarter more bits than it will in the end.
            fit.steer(0.8 * bits, 0.8 * mse, 0.7)
        fit.report("probe", bits, mse)


def _main_phase(fit: _Fit) -> None:
    plan = fit.plan
    gain = min(0.4, max(0.05, 8 * CHUNK / plan.steps))  # errors die out within about an eighth of the fit
    for step in range(0, plan.steps, CHUNK):
        x = step / plan.steps
        c = plan.cosine(x)
        mse, bits = fit.run(CHUNK, (plan.lr_latents * c, plan.lr_params * c), plan.anneal(x))
        fit.done += CHUNK
        if x > 0.05:
            fit.steer(bits, mse, gain)
        if step % (10 * CHUNK) == 0:
            fit.network_bits = network_bits(fit.model, fit.fitter.get_params())
        fit.report("fit", bits, mse)


def _network_phase(fit: _Fit) -> None:
    steps = fit.plan.network_steps
    for step in range(0, steps, CHUNK):
        rate = 0.1 * fit.plan.lr_params * (1 - step / steps)
        mse, bits = fit.run(min(CHUNK, steps - step), (0.0, rate), None)
        fit.done += CHUNK
        fit.report("networks", bits, mse)


def _quantise_networks(fit: _Fit) -> QuantisedWeights:
    """Choose the integers of the networks with the latents rounded; the fitter goes on with their values."""
    latents = fit.fitter.get_latents()
    fit.fitter.set_latents([y.astype(np.float32) for y in round_latents(latents)])

    def loss(params: Floats) -> float:
        fit.fitter.set_params(params)
        return float(fit.fitter.gradients(fit.lam)["loss"])

    weights = quantise_weights(fit.model, fit.fitter.get_params(), fit.lam, fit.pixels, loss)
    fit.fitter.set_params(weights.values(fit.model))
    fit.fitter.set_latents(latents)
    fit.network_bits = weights.bits
    return weights


def _latent_phase(fit: _Fit) -> None:
    """A short stretch of the latents alone, at the end of the annealing."""
    steps = fit.plan.closing_steps
    for step in range(0, steps, CHUNK):
        rate = 0.3 * fit.plan.lr_latents * (1 - step / steps)
        mse, bits = fit.run(min(CHUNK, steps - step), (rate, 0.0), fit.plan.anneal(1.0))
        fit.report("closing", bits, mse)


def _finish(fit: _Fit, weights: QuantisedWeights) -> Coded:
    """Code the picture; while a target is missed, move the latents towards it and code again."""

    def attempt() -> Coded:
        latents = round_latents(fit.fitter.get_latents())
        return code(fit.picture, fit.model, weights, latents, fit.settings.threads)

    def miss(coded: Coded) -> float:
        return abs(fit.goal.log_error(8.0 * len(coded.payload), coded.mse))

    best = coded = attempt()
    for _ in range(CLOSING_ROUNDS):
        if fit.goal.met(8.0 * len(coded.payload), coded.mse, TOLERANCE):
            break
        fit.lam = steered(fit.lam, fit.goal.log_error(8.0 * len(coded.payload), coded.mse), 1.0)
        _latent_phase(fit)
        coded = attempt()
        if miss(coded) < miss(best):
            best = coded
    return best


def fit_picture(picture: Picture, settings: Settings, progress: ProgressCallback | None) -> Coded:
    """Fit and code ``picture``. Raises FloatingPointError if the fit diverges."""
    image = np.ascontiguousarray(picture.pixels.astype(np.float32).transpose(2, 0, 1) / picture.maxval)
    pixels = picture.width * picture.height
    goal = Goal.of(settings, pixels)
    fit = _Fit(picture, image, settings, goal, plan_for(settings.effort), goal.first_lambda(pixels), progress)
    if goal.lam is None:
        _probe(fit)
    fit.begin()
    _main_phase(fit)
    _network_phase(fit)
    return _finish(fit, _quantise_networks(fit))
