"""What the fit of the codec ``overfit`` sees of a set of pictures, and of one that is added to a set."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ... import _native
from ..overfit.coarse import half_size
from ..overfit.expected import expected_bits
from ..overfit.model import MEAN_BITS, Ints, Model, load_model
from ..overfit.schedule import (
    CHUNK,
    Plan,
    architecture_for,
    architecture_of,
    grid_count,
    model_index,
    plan_for,
)
from ..overfit.stream import Coded, Picture, activation_bits, plane_bits
from ..overfit.weights import QuantisedWeights


@dataclass(frozen=True)
class PictureSet:
    """Pictures, at least one, whose networks are to be fitted together."""

    pictures: tuple[Picture, ...]
    fixed: None = None
    steps_of_weights: None = None

    @property
    def area(self) -> int:
        """Pixels of all pictures."""
        return sum(p.area for p in self.pictures)

    def means(self, effort: int, lam: float) -> tuple[Plan, Model]:
        """The plan and the model; a set may have a larger one than each picture by itself."""

        def bits() -> float:
            return sum(expected_bits(p.image, lam) for p in self.pictures)

        architecture = architecture_for(effort, lam, bits)
        grids = max(grid_count(p.width, p.height) for p in self.pictures)
        return plan_for(effort, architecture, lam), load_model(model_index(architecture, lam), grids)

    def fitter(self, model: Model, threads: int, seed: int) -> _native.SetFitter:
        """A fitter at its beginning."""
        images = [p.image for p in self.pictures]
        return _native.SetFitter(images, model.index, model.grids, threads, seed)

    def half_fitter(self, model: Model, threads: int, seed: int) -> _native.SetFitter:
        """A fitter of all pictures at half their sizes, for a model with one grid less."""
        images = [half_size(p.image) for p in self.pictures]
        return _native.SetFitter(images, model.index, model.grids, threads, seed)

    def code(self, model: Model, w: QuantisedWeights, latents: list[Ints], threads: int) -> Coded:
        """The networks and the latents of each picture, with the best fixed-point formats."""
        each = [latents[k : k + model.grids] for k in range(0, len(latents), model.grids)]
        parts = list(zip(self.pictures, each, strict=True))
        fa = activation_bits(parts, model, w)
        fu, mse = plane_bits(parts, model, w, threads)
        networks = _native.set_encode_networks(
            model.index, model.grids, fa, fu, list(w.k), list(w.s), w.params
        )
        payloads = (_native.set_encode_latents(networks, p.width, p.height, y) for p, y in parts)
        return Coded((networks, *payloads), mse)


@dataclass(frozen=True)
class Member:
    """A picture of a set whose networks are given.

    latents: to begin with, as ``round_latents`` gives them; None for zeros.
    """

    picture: Picture
    networks: bytes
    latents: list[Ints] | None = None
    model: Model = field(init=False)
    weights: QuantisedWeights = field(init=False)

    def __post_init__(self) -> None:
        model, weights = read_networks(self.networks)
        object.__setattr__(self, "model", model)
        object.__setattr__(self, "weights", weights)

    @property
    def area(self) -> int:
        """Pixels."""
        return self.picture.area

    @property
    def fixed(self) -> QuantisedWeights | None:
        """The networks."""
        return self.weights

    @property
    def steps_of_weights(self) -> Sequence[int] | None:
        """Those of the networks."""
        return self.weights.k

    def means(self, effort: int, lam: float) -> tuple[Plan, Model]:
        """The main phase of the effort's plan, as no other is gone through, and the model of the networks."""
        plan = plan_for(effort, architecture_of(self.model.index), lam)
        return dataclasses.replace(plan, coarse_steps=0, network_steps=0), self.model

    def fitter(self, model: Model, threads: int, seed: int) -> _native.Fitter:
        """A fitter with the networks."""
        fitter = self.picture.fitter(model, threads, seed)
        fitter.set_params(self.weights.values(model))
        if self.latents is not None:
            fitter.set_latents([y.astype(np.float32) for y in self.latents])
        return fitter

    def half_fitter(self, model: Model, threads: int, seed: int) -> _native.Fitter:
        """A fitter of half the size."""
        return self.picture.half_fitter(model, threads, seed)

    def code(self, model: Model, w: QuantisedWeights, latents: list[Ints], threads: int) -> Coded:
        """The payload, without networks of its own."""
        p = self.picture
        payload = _native.set_encode_latents(self.networks, p.width, p.height, latents)
        return Coded((payload,), self.mse(payload, threads))

    def mse(self, payload: bytes, threads: int) -> float:
        """Mean squared error of what a payload decodes to."""
        p = self.picture
        shape = p.width, p.height, p.channels, p.maxval
        return p.mse(_native.set_decode(self.networks, payload, *shape, threads))


@dataclass(frozen=True)
class Pace:
    """How a payload of some size is fitted on.

    share: steps, for each of the main phase of a picture by itself. begin: where in the course of annealing.
    spread: of the prior that the networks are charged by, in steps of their integers.
    """

    share: float
    begin: float
    spread: float


@dataclass(frozen=True)
class OwnMember(Member):
    """A picture of a set that is to have networks of its own, for which those of the set are the prior."""

    pace: Pace = field(kw_only=True)

    @property
    def fixed(self) -> None:
        """Its networks are to be fitted."""

    def means(self, effort: int, lam: float) -> tuple[Plan, Model]:
        """A part of the plan of the effort, and a model whose prior is the networks of the set."""
        steps = np.asarray(self.weights.k)[self.model.group]
        model = dataclasses.replace(
            self.model,
            kdef=self.weights.k,
            mean=(self.weights.params << (MEAN_BITS - steps)).astype(np.int32),
            scale=(16 * MEAN_BITS - 48 - 16 * steps).astype(np.int32),  # 32 with the steps as they are
        )
        plan = plan_for(effort, architecture_of(self.model.index), lam)
        main = max(1, round(self.pace.share * plan.steps / CHUNK)) * CHUNK
        return dataclasses.replace(plan, steps=main, coarse_steps=0, begin=self.pace.begin), model

    def fitter(self, model: Model, threads: int, seed: int) -> _native.Fitter:
        """A fitter that charges the networks for what they are away from those of the set."""
        fitter = super().fitter(model, threads, seed)
        steps = np.asarray(self.weights.k)[model.group]
        inverse = np.where(model.coded, np.ldexp(1 / self.pace.spread, steps), 0).astype(np.float32)
        fitter.set_prior(self.weights.values(model), inverse)
        return fitter

    def code(self, model: Model, w: QuantisedWeights, latents: list[Ints], threads: int) -> Coded:
        """The payload with networks of its own, in the best fixed-point formats."""
        p = self.picture
        parts = [(p, latents)]
        fa = activation_bits(parts, model, w)
        fu, _ = plane_bits(parts, model, w, threads)
        own = fa, fu, list(w.k), list(w.s), w.params
        payload = _native.set_encode_own(self.networks, *own, p.width, p.height, latents)
        return Coded((payload,), self.mse(payload, threads))


def read_networks(networks: bytes) -> tuple[Model, QuantisedWeights]:
    """The model and the integers of coded networks. Raises CorruptError or UnsupportedError."""
    found = _native.set_inspect_networks(networks)
    model = load_model(found["model"], found["grids"])
    params: Ints = np.asarray(found["params"], np.int32)
    bits = 8.0 * len(networks)
    return model, QuantisedWeights(tuple(found["k"]), tuple(found["s"]), params, bits)
