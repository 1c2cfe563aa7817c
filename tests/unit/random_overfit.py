"""Random overfit streams for tests: anything the format allows, from typical to extreme."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wyner import _native

# Per tensor in stream order: group, rows, what it has a slice for (grid, upsampling stage, nothing), columns.
_TENSORS: list[tuple[int, str, str, str]] = [
    (0, "N", "", "A"), (3, "N", "", "1"), (1, "N", "", "N"), (3, "N", "", "1"), (2, "2", "", "N"),
    (2, "2", "", "A"), (3, "2", "", "1"), (4, "1", "grid", "6F"), (4, "1", "grid", "F"),
    (5, "1", "stage", "4"), (6, "1", "grid", "4"), (7, "M", "grid", "1"), (9, "M", "", "1"),
    (8, "3", "", "M"), (8, "3", "grid", "1"), (9, "3", "", "1"), (10, "3", "", "27"), (11, "3", "", "1"),
    (10, "3", "", "27"), (11, "3", "", "1"),
]  # fmt: skip


@cache
def models() -> list[dict[str, Any]]:
    return _native.overfit_models()


def prior_means(model: int, grids: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Mean (Q14), group and presence of every parameter, in stream order."""
    m = models()[model]
    size = {**{n: m[n] for n in "FNM"}, "A": m["S"] + m["F"], "6F": 6 * m["F"]}
    means, groups, present = [], [], []
    start = 0
    for group, rows, axis, columns in _TENSORS:
        r, c = (size.get(n) or int(n) for n in (rows, columns))
        trained, wanted = (1 if not axis else n - (axis == "stage") for n in (m["grids"], grids))
        prior = m["mean"][start : start + r * trained * c].reshape(r, trained, c)
        start += prior.size
        mean = prior[:, np.minimum(np.arange(wanted), trained - 1), :]
        means.append(mean.ravel())
        groups.append(np.full(mean.size, group))
        here = np.ones(mean.shape, bool)
        if columns == "6F":
            for i in range(grids):
                here[0, i] = i + 1 + (np.arange(c) % 6) // 2 < grids
        present.append(here.ravel())
    assert start == m["mean"].size
    return np.concatenate(means).astype(np.int64), np.concatenate(groups), np.concatenate(present)


@dataclass(frozen=True)
class Stream:
    """The arguments of `_native.overfit_encode`."""

    width: int
    height: int
    model: int
    fa: int
    fu: int
    k: list[int]
    s: list[int]
    params: NDArray[np.int32]
    latents: list[NDArray[np.int32]]

    def arguments(self) -> tuple[Any, ...]:
        return (
            self.width, self.height, self.model, self.fa, self.fu, self.k, self.s, self.params, self.latents,
        )  # fmt: skip

    def encode(self) -> bytes:
        return _native.overfit_encode(*self.arguments())

    def render(self, channels: int, maxval: int, threads: int = 1) -> NDArray[np.generic]:
        return _native.overfit_render(
            self.width, self.height, channels, maxval, self.fu, self.model, self.k, self.params, self.latents,
            threads,
        )  # fmt: skip

    def with_latents(self, latents: list[NDArray[np.int32]]) -> Stream:
        return replace(self, latents=latents)


def random_stream(
    rng: np.random.Generator, width: int, height: int, model: int, grids: int, noise: float = 0.1
) -> Stream:
    """Parameters around the prior, latents of a random scale per grid; a few grids zero or extreme."""
    mean, group, present = prior_means(model, grids)
    k = np.asarray(models()[model]["kdef"]) + rng.integers(-2, 3, 12)
    k = np.clip(k, 0, 13)
    # The conditions of section 6 for the least fa (6) and fu (5) drawn below.
    k[8] = max(k[8], 5)
    k[3] = min(k[3], k[:3].min() + 6)
    k[9] = min(k[9], k[7:9].min() + 5)
    k[11] = min(k[11], k[10] + 10)
    s = rng.integers(-8, 9, 12)
    values = mean / 2.0**14 + rng.normal(0, noise, mean.size)
    params = np.clip(np.rint(values * 2.0 ** k[group]), -32767, 32767) * present
    latents = []
    for i in range(grids):
        shape = (-(-height // 2**i), -(-width // 2**i))
        kind = rng.integers(0, 8)
        scale = 0.0 if kind == 0 else 1000.0 if kind == 1 else rng.uniform(0.1, 4)
        q = np.rint(rng.laplace(0, 1, shape) * scale)
        latents.append(np.clip(q, -4095, 4095).astype(np.int32))
    return Stream(
        width, height, model, int(rng.integers(6, 10)), int(rng.integers(5, 9)), k.tolist(), s.tolist(),
        params.astype(np.int32), latents,
    )  # fmt: skip
