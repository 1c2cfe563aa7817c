"""The fit of a picture or a set: gradient descent on latents and networks, then integers, then a payload.

probe (targets only) --> half size (low rates only) --> main phase
    soft rounding, noise in all of these                    |
payload <-- quantise networks <-- networks alone <----------'
    latents alone again, if a target is missed      hard rounding

Where the networks are given, the main phase alone is gone through, with the latents alone.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from ..base import Progress, ProgressCallback, Settings
from .coarse import Fitter, fit_half_size
from .goal import Goal, psnr_db, steered
from .model import Floats, Ints, Model, load_model
from .schedule import CHUNK, Plan, thinning
from .stream import Coded, round_latents
from .weights import QuantisedWeights, network_bits, quantise_weights

PROBE_STEPS = 100
TRIAL_PROBES = 3  # on trial, one probe for so many in the end
QUANTISING_LOSSES = 30  # about what quantising evaluates beside its probes
THREAD_PIXELS = 50_000  # below so many pixels a thread costs more than it gives
MOST_THREADS = 256  # that a fitter takes
TOLERANCE = 0.01
CLOSING_ROUNDS = 8
FIRST_LOOK = 0.1  # fraction of the main phase after which a target is steered for
YOUNG = 0.15  # what bits and error still lose from then on, at about the square of the time left


class Subject(Protocol):
    """What is fitted: a picture, or several that share their networks.

    area: pixels, of all pictures together. fixed: networks that are given; None to fit them.
    steps_of_weights: fractional bits of each group, where they are given.
    """

    @property
    def area(self) -> int: ...

    @property
    def fixed(self) -> QuantisedWeights | None: ...

    @property
    def steps_of_weights(self) -> Sequence[int] | None: ...

    def means(self, effort: int, lam: float) -> tuple[Plan, Model]:
        """The plan and the model for an effort level and a Lagrange multiplier."""
        ...

    def fitter(self, model: Model, threads: int, seed: int) -> Fitter:
        """A fitter at its beginning, or with the networks that are given."""
        ...

    def half_fitter(self, model: Model, threads: int, seed: int) -> Fitter:
        """A fitter of everything at half the size, for a model with one grid less."""
        ...

    def code(self, model: Model, w: QuantisedWeights, latents: list[Ints], threads: int) -> Coded:
        """Payloads of integers; ``latents`` as the fitter lists them."""
        ...


@dataclass
class _Fit:
    """State of one fit. ``lam`` moves only when a size or a PSNR is asked for.

    excess: factors by which quantised networks raise bits and mean squared error, as far as is known.
    """

    subject: Subject
    settings: Settings
    goal: Goal
    lam: float
    progress: ProgressCallback | None
    plan: Plan = field(init=False)
    model: Model = field(init=False)
    fitter: Fitter = field(init=False)
    network_bits: float = 0.0
    excess: tuple[float, float] = (1.0, 1.0)
    done: int = 0
    started: float = field(default_factory=time.monotonic)

    @property
    def pixels(self) -> int:
        return self.subject.area

    @property
    def total_steps(self) -> int:
        plan = self.plan
        steps = plan.coarse_steps // 4 + plan.steps + plan.network_steps
        steps += len(self.trials) * (plan.probes // TRIAL_PROBES + QUANTISING_LOSSES)
        return steps if self.subject.fixed is not None else steps + plan.probes + QUANTISING_LOSSES

    @property
    def trials(self) -> Sequence[float]:
        """Where in the main phase the networks are quantised on trial."""
        return self.plan.foresee if self.goal.lam is None and self.subject.fixed is None else ()

    @property
    def threads(self) -> int:
        return min(self.settings.threads, 1 + self.pixels // THREAD_PIXELS, MOST_THREADS)

    def begin(self) -> None:
        """A fresh fitter with the plan and the model for the present multiplier."""
        self.plan, self.model = self.subject.means(self.settings.effort, self.lam)
        self.fitter = self.subject.fitter(self.model, self.threads, self.settings.seed)
        self.weigh_networks()

    def weigh_networks(self) -> None:
        """Renew ``network_bits``: those of networks that the payload is to hold."""
        if self.subject.fixed is None:
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
        # Networks that are soon to be quantised learn from everything.
        thin = 1 if soft is None else thinning(self.pixels)
        mse, bits = self.fitter.run(
            steps, lr[0], lr[1], temperature, noise, self.lam, soft is None, self.plan.weight_rate, thin
        )
        if not math.isfinite(mse + bits):
            raise FloatingPointError("the fit diverged; another seed or a lower effort may help")
        return mse, bits

    def steer(self, bits: float, mse: float, gain: float) -> None:
        bits, mse = (bits + self.network_bits) * self.excess[0], mse * self.excess[1]
        self.lam = steered(self.lam, self.goal.log_error(bits, mse), gain)

    def rounded(self) -> tuple[float, float]:
        """Latent bits and mean squared error with the latents rounded; renews ``network_bits``."""
        latents = self.fitter.get_latents()
        self.fitter.set_latents([y.astype(np.float32) for y in round_latents(latents)])
        state = self.fitter.gradients(self.lam)
        self.fitter.set_latents(latents)
        self.weigh_networks()
        return float(sum(state["grid_bits"])), float(state["mse"])


def _probe(fit: _Fit) -> None:
    """Find roughly the multiplier of a target, so that the right model is begun with."""
    fit.begin()
    for step in range(0, PROBE_STEPS, CHUNK):
        soft = fit.plan.anneal(0.5)
        rates = fit.plan.lr_latents, fit.plan.lr_params if fit.subject.fixed is None else 0.0
        mse, bits = fit.run(CHUNK, rates, soft)
        if step >= CHUNK:
            # A young fit spends about a quarter more bits than it will in the end.
            fit.steer(0.8 * bits, 0.8 * mse, 0.7)
        fit.report("probe", bits, mse)


def _half_size_phase(fit: _Fit) -> None:
    def report(bits: float, mse: float) -> None:
        fit.done += CHUNK // 4
        fit.report("half size", bits, mse)

    if fit.plan.coarse_steps == 0 or fit.model.grids < 3:
        return
    coarse = load_model(fit.model.index, fit.model.grids - 1, fit.model.extras)
    half = fit.subject.half_fitter(coarse, fit.threads, fit.settings.seed)
    params, latents = fit_half_size(
        half, fit.model, coarse, fit.plan, fit.lam, report, fit.fitter.get_params()
    )
    fit.fitter.set_params(params)
    everything = fit.fitter.get_latents()
    for k in range(0, len(everything), fit.model.grids):  # of each picture
        everything[k + 1 : k + fit.model.grids] = latents[: coarse.grids]
        latents = latents[coarse.grids :]
    fit.fitter.set_latents(everything)


def _foresee_quantising(fit: _Fit) -> None:
    """Find what quantised networks add to bits and error; the fit goes on from where it is."""
    params = fit.fitter.get_params()
    bits, mse = fit.rounded()
    before = bits + fit.network_bits, mse
    weights = _quantise_networks(fit, fit.plan.probes // TRIAL_PROBES)
    bits, mse = fit.rounded()
    fit.excess = (bits + weights.bits) / max(before[0], 1.0), mse / max(before[1], 1e-12)
    fit.fitter.set_params(params)
    fit.weigh_networks()


def _steer_by_rounding(fit: _Fit, x: float) -> None:
    """Move the multiplier by what the fit would come to if it ended here, at ``x`` of its course."""
    bits, mse = fit.rounded()
    young = YOUNG * (1 - x) ** 2
    # Where it never rests, less and less: late in the annealing latents hardly move, and it would run away.
    gain = 0.6 * (1 - x) if fit.plan.steer_until >= 1 else 0.6
    fit.steer(bits * (1 - young), mse * (1 - young), gain)


def _main_phase(fit: _Fit) -> None:
    plan = fit.plan
    trials = list(fit.trials)
    look_every = max(1, plan.steps // (20 * CHUNK)) * CHUNK
    for step in range(0, plan.steps, CHUNK):
        x = plan.begin + (1 - plan.begin) * step / plan.steps
        c = plan.cosine(x)
        rates = plan.lr_latents * c, plan.lr_params * c if fit.subject.fixed is None else 0.0
        mse, bits = fit.run(CHUNK, rates, plan.anneal(x))
        fit.done += CHUNK
        if fit.goal.lam is None and FIRST_LOOK <= x < plan.steer_until and step % look_every == 0:
            if trials and x >= trials[0]:
                _foresee_quantising(fit)
                del trials[0]
            _steer_by_rounding(fit, x)
        elif step % (10 * CHUNK) == 0:
            fit.weigh_networks()
        fit.report("fit", bits, mse)


def _network_phase(fit: _Fit) -> None:
    steps = fit.plan.network_steps
    for step in range(0, steps, CHUNK):
        rate = 0.1 * fit.plan.lr_params * (1 - step / steps)
        mse, bits = fit.run(min(CHUNK, steps - step), (0.0, rate), None)
        fit.done += CHUNK
        fit.report("networks", bits, mse)


def _quantise_networks(fit: _Fit, probes: int) -> QuantisedWeights:
    """Choose the integers of the networks with the latents rounded; the fitter goes on with their values."""
    latents = fit.fitter.get_latents()
    fit.fitter.set_latents([y.astype(np.float32) for y in round_latents(latents)])

    def evaluated(params: Floats) -> dict[str, Any]:
        fit.fitter.set_params(params)
        state = fit.fitter.gradients(fit.lam)
        fit.done += 1
        if fit.done % CHUNK == 0:
            fit.report("quantise", float(sum(state["grid_bits"])), float(state["mse"]))
        return state

    def loss(params: Floats) -> float:
        return float(evaluated(params)["loss"])

    def gradient(params: Floats) -> Floats:
        return evaluated(params)["params"]

    params = fit.fitter.get_params()
    weights = quantise_weights(
        fit.model, params, fit.lam, fit.pixels, loss, gradient, probes, fit.subject.steps_of_weights
    )
    fit.fitter.set_params(weights.values(fit.model))
    fit.fitter.set_latents(latents)
    fit.network_bits = weights.bits
    return weights


def _closing_round(fit: _Fit) -> None:
    """The latents alone, annealed again from ``closing_begin``, with the multiplier as it now is."""
    plan = fit.plan
    for step in range(0, plan.closing_steps, CHUNK):
        x = plan.closing_begin + (1 - plan.closing_begin) * step / plan.closing_steps
        mse, bits = fit.run(CHUNK, (plan.lr_latents * plan.cosine(x), 0.0), plan.anneal(x))
        fit.report("closing", bits, mse)


def _finish(fit: _Fit, weights: QuantisedWeights) -> Coded:
    """Code; while a target is missed, move the latents towards it and code again."""

    def attempt() -> Coded:
        latents = round_latents(fit.fitter.get_latents())
        return fit.subject.code(fit.model, weights, latents, fit.settings.threads)

    def miss(coded: Coded) -> float:
        return fit.goal.log_error(coded.bits, coded.mse)

    def badness(coded: Coded) -> tuple[bool, float]:
        return fit.goal.failed(coded.bits, coded.mse), abs(miss(coded))

    best = coded = attempt()
    for number in range(1, CLOSING_ROUNDS + 1):
        if fit.goal.met(coded.bits, coded.mse, TOLERANCE):
            break
        # A short round moves the rate less than the typical slope says, so the gain grows while it misses.
        before, fit.lam = fit.lam, steered(fit.lam, miss(coded), 1.5 * number, most=0.7)
        if number > 1 and fit.lam == before:
            break  # the end of the range, and not the first round there: the target is out of reach
        _closing_round(fit)
        coded = attempt()
        if badness(coded) < badness(best):
            best = coded
    fit.done = fit.total_steps
    fit.report("done", best.bits - fit.network_bits, best.mse)
    return best


def fit_and_code(
    subject: Subject, settings: Settings, progress: ProgressCallback | None, goal: Goal | None = None
) -> Coded:
    """Fit and code. goal: instead of that in ``settings``. Raises FloatingPointError if the fit diverges."""
    goal = goal or Goal.of(settings, subject.area)
    state = _Fit(subject, settings, goal, goal.first_lambda(subject.area), progress)
    if goal.lam is None:
        _probe(state)
    return _all_phases(state)


def fit_on(
    subject: Subject, settings: Settings, goal: Goal, lam: float, progress: ProgressCallback | None
) -> Coded:
    """Fit and code what was fitted in part. goal: instead of that in ``settings``; lam: to begin with."""
    return _all_phases(_Fit(subject, settings, goal, lam, progress))


def _all_phases(state: _Fit) -> Coded:
    state.begin()
    weights = state.subject.fixed
    if weights is None:
        _half_size_phase(state)
        _main_phase(state)
        _network_phase(state)
        weights = _quantise_networks(state, state.plan.probes)
    else:
        _main_phase(state)
    return dataclasses.replace(_finish(state, weights), lam=state.lam)
