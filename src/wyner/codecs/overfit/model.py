"""The model families of the codec: sizes, priors, and where each parameter sits (spec, section 5)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from ... import _native

MEAN_BITS = 14
GROUPS = 12
MAX_GRIDS = 9
Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]
Extras = tuple[int, int]

# Group of each tensor, and the tensors whose rows add up in one accumulator (section 6).
GROUP_OF = {
    "arm.w1": 0, "arm.b1": 3, "arm.w2": 1, "arm.b2": 3, "arm.wo": 2, "arm.wl": 2, "arm.bo": 3,
    "ifc.w": 4, "ifc.b": 4, "up.t": 5, "pre.t": 6,
    "syn.w1": 7, "syn.b1": 9, "syn.w2": 8, "syn.wl": 8, "syn.b2": 9,
    "syn.c1": 10, "syn.d1": 11, "syn.c2": 10, "syn.d2": 11,
}  # fmt: skip
ROWS_OF_GROUP = {
    0: ("arm.w1",), 1: ("arm.w2",), 2: ("arm.wo", "arm.wl"), 4: ("ifc.w",), 5: ("up.t",), 6: ("pre.t",),
    7: ("syn.w1",), 8: ("syn.w2", "syn.wl"), 10: ("syn.c1", "syn.c2"),
}  # fmt: skip


@dataclass(frozen=True)
class Model:
    """A model for one picture: sizes, and per-parameter arrays in stream order.

    extras: contexts and planes from a side picture (docs/spec/side.md), (0, 0) without one.
    mean: prior means (Q14). scale: prior scales (1/16 octaves above 2^-14). group: 0..11.
    coded: False for the absent entries of ifc.w. offsets: tensor name -> (start, shape).
    """

    index: int
    S: int
    F: int
    N: int
    M: int
    grids: int
    extras: Extras
    kdef: tuple[int, ...]
    mean: Ints
    scale: Ints
    group: Ints
    coded: npt.NDArray[np.bool_]
    offsets: dict[str, tuple[int, tuple[int, ...]]]

    def tensor(self, params: npt.NDArray[np.float32], name: str) -> npt.NDArray[np.float32]:
        """View of one tensor in a flat parameter vector."""
        start, shape = self.offsets[name]
        return params[start : start + math.prod(shape)].reshape(shape)

    def macs_per_pixel(self) -> float:
        """Multiply-accumulates per pixel of decoding (section 7 to 9), for a large picture."""
        inputs = self.S + self.F + self.extras[0]
        planes = self.grids + self.extras[1]
        arm = inputs * self.N + self.N**2 + 2 * (self.N + inputs)
        per_grid = [4.0**-i for i in range(self.grids)]
        features = sum(area / 4 * (6 * self.F + 9) for area in per_grid)
        upsampling = sum(4.0**-i * 6 * (self.grids - 1 - i) for i in range(self.grids - 1))
        synthesis = self.M * planes + 3 * (self.M + planes) + 2 * 81
        return arm * sum(per_grid) + features + 14 * sum(per_grid) + upsampling + synthesis


def tensor_shapes(
    S: int, F: int, N: int, M: int, G: int, extras: Extras = (0, 0)
) -> dict[str, tuple[int, ...]]:
    """Shapes of the tensors in stream order."""
    A, U = S + F + extras[0], G + extras[1]
    return {
        "arm.w1": (N, A), "arm.b1": (N,), "arm.w2": (N, N), "arm.b2": (N,),
        "arm.wo": (2, N), "arm.wl": (2, A), "arm.bo": (2,),
        "ifc.w": (G, F, 6), "ifc.b": (G, F), "up.t": (G - 1, 4), "pre.t": (G, 4),
        "syn.w1": (M, U), "syn.b1": (M,), "syn.w2": (3, M), "syn.wl": (3, U), "syn.b2": (3,),
        "syn.c1": (3, 3, 3, 3), "syn.d1": (3,), "syn.c2": (3, 3, 3, 3), "syn.d2": (3,),
    }  # fmt: skip


@lru_cache(maxsize=32)
def load_model(index: int, grids: int, extras: Extras = (0, 0)) -> Model:
    """The model ``index`` of the native tables, laid out for ``grids`` grids (1..9) and ``extras``."""
    raw = _native.overfit_models()[index]
    S, F, N, M = raw["S"], raw["F"], raw["N"], raw["M"]
    shapes = tensor_shapes(S, F, N, M, grids, extras)
    mean, scale = _native.overfit_priors(index, grids, *extras)
    group = np.concatenate([np.full(math.prod(s), GROUP_OF[n], np.int32) for n, s in shapes.items()])
    coded = np.ones(group.size, bool)
    offsets, start = {}, 0
    for name, shape in shapes.items():
        offsets[name] = (start, shape)
        start += math.prod(shape)
    at = offsets["ifc.w"][0]
    sources = np.arange(grids)[:, None, None] + 1 + np.arange(6)[None, None, :] // 2
    coded[at : at + grids * F * 6] = np.broadcast_to(sources < grids, (grids, F, 6)).ravel()
    return Model(
        index, S, F, N, M, grids, extras, tuple(raw["kdef"]), mean, scale, group, coded, offsets,
    )  # fmt: skip


def payload_macs_per_pixel(payload: bytes, extras: Extras = (0, 0)) -> float:
    """Multiply-accumulates per pixel of decoding, from the model that a payload begins with (section 4).

    A model that does not exist counts as the largest: decoding refuses it.
    """
    code = int.from_bytes(payload[:8].ljust(8, b"\0"), "big")
    index = code // ((2**64 - 1) >> 8)  # bits(8) of a fresh range decoder
    count = len(_native.overfit_models())
    candidates = [index] if index < count else range(count)
    return max(load_model(i, 7, extras).macs_per_pixel() for i in candidates)


def row_sums(model: Model, params: Floats, group: int) -> float:
    """Largest sum of absolute weights that meet in one accumulator of ``group`` (0 for a group of biases)."""
    names = ROWS_OF_GROUP.get(group, ())
    if group == 5:
        return float(np.abs(model.tensor(params, "up.t")).sum(1).max(initial=0.0))
    if group == 6:
        return float((np.abs(model.tensor(params, "pre.t")) @ np.array([1, 2, 2, 2], np.float32)).max())
    if group == 4:
        return float(np.abs(model.tensor(params, "ifc.w")).sum(-1).max())
    if group == 10:
        return max(float(np.abs(model.tensor(params, n)).reshape(3, -1).sum(1).max()) for n in names)
    total = sum((np.abs(model.tensor(params, n)).sum(1) for n in names), np.zeros(1, np.float32))
    return float(np.max(total))
