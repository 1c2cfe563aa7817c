"""What the fit of the codec ``overfit`` sees of a set of pictures, and of one that is added to a set."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ... import _native
from ..overfit.coarse import half_size
from ..overfit.model import Ints, Model, load_model
from ..overfit.schedule import Plan, grid_count, model_index, plan_for
from ..overfit.stream import Coded, Picture, activation_bits, plane_bits
from ..overfit.weights import QuantisedWeights

SPREAD_PIXELS = 768 * 512
"""Size of the pictures on which it was measured where a larger network pays."""


@dataclass(frozen=True)
class PictureSet:
    """Pictures, at least one, whose networks are to be fitted together."""

    pictures: tuple[Picture, ...]
    fixed: None = None

    @property
    def area(self) -> int:
        """Pixels of all pictures."""
        return sum(p.area for p in self.pictures)

    def means(self, effort: int, lam: float) -> tuple[Plan, Model]:
        """The plan and the model; a set may have a larger one than each picture by itself."""
        spread = max(1.0, self.area / SPREAD_PIXELS)
        grids = max(grid_count(p.width, p.height) for p in self.pictures)
        return plan_for(effort, lam, spread), load_model(model_index(effort, lam, spread), grids)

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
class Addition:
    """A picture to be coded under given networks."""

    picture: Picture
    networks: bytes
    model: Model = field(init=False)
    fixed: QuantisedWeights = field(init=False)

    def __post_init__(self) -> None:
        model, weights = read_networks(self.networks)
        object.__setattr__(self, "model", model)
        object.__setattr__(self, "fixed", weights)

    @property
    def area(self) -> int:
        """Pixels."""
        return self.picture.area

    def means(self, effort: int, lam: float) -> tuple[Plan, Model]:
        """The plan of the effort, and the model of the networks."""
        return plan_for(effort, lam), self.model

    def fitter(self, model: Model, threads: int, seed: int) -> _native.Fitter:
        """A fitter with the networks."""
        fitter = self.picture.fitter(model, threads, seed)
        fitter.set_params(self.fixed.values(model))
        return fitter

    def half_fitter(self, model: Model, threads: int, seed: int) -> _native.Fitter:
        """A fitter of half the size; networks that are given are not fitted there."""
        return self.picture.half_fitter(model, threads, seed)

    def code(self, model: Model, w: QuantisedWeights, latents: list[Ints], threads: int) -> Coded:
        """The latents."""
        p = self.picture
        payload = _native.set_encode_latents(self.networks, p.width, p.height, latents)
        decoded = _native.set_decode(self.networks, payload, p.width, p.height, p.channels, p.maxval, threads)
        return Coded((payload,), p.mse(decoded))


def read_networks(networks: bytes) -> tuple[Model, QuantisedWeights]:
    """The model and the integers of coded networks. Raises CorruptError or UnsupportedError."""
    found = _native.set_inspect_networks(networks)
    model = load_model(found["model"], found["grids"])
    params: Ints = np.asarray(found["params"], np.int32)
    bits = 8.0 * len(networks)
    return model, QuantisedWeights(tuple(found["k"]), tuple(found["s"]), params, bits)
