"""Header, parameters and their bounds (docs/spec/overfit.md, sections 4 to 6; side.md, section 7)."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np

from wyner.errors import CorruptError, UnsupportedError
from wyner.reference.arithmetic import IntArray, rshift
from wyner.reference.laplace import IDX_MAX, VALUE_MAX, symbol
from wyner.reference.range_decoder import RangeDecoder

GROUPS = 12
EXTRA_SCALES = {"arm.w1": 168, "arm.wl": 152, "syn.w1": 160, "syn.wl": 168}


@dataclass(frozen=True)
class Header:
    """What the parameters are decoded with: the model, G, the activations' precisions, k_g and s_g.

    extras: E and X, the contexts and planes from a side picture.
    """

    model: dict[str, Any]
    grids: int
    fa: int
    fu: int
    k: list[int]
    s: list[int]
    extras: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Tensor:
    """A parameter tensor: name, group, shape, and the axis (if any) with one slice per grid or stage.

    The last `extra` columns belong to inputs from a side picture.
    """

    name: str
    group: int
    shape: tuple[int, ...]
    sliced_axis: int | None = None
    extra: int = 0


@dataclass(frozen=True)
class Network:
    """Header and parameters. `p[name]` is an int64 array of values with k[group] fractional bits."""

    header: Header
    p: dict[str, IntArray]


@cache
def models() -> list[dict[str, Any]]:
    """The models, each with S, F, N, M, grids, kdef and the flat lists mean and scale."""
    data = json.loads(resources.files("wyner.reference").joinpath("models.json").read_text())
    result: list[dict[str, Any]] = data["models"]
    return result


def layout(model: dict[str, Any], grids: int, extras: tuple[int, int] = (0, 0)) -> list[Tensor]:
    """The tensors in coded order, for a given number of grids and extra inputs."""
    S, F, N, M, G = model["S"], model["F"], model["N"], model["M"], grids
    E, X = extras
    A, U = S + F + E, G + X
    return [
        Tensor("arm.w1", 0, (N, A), extra=E), Tensor("arm.b1", 3, (N,)),
        Tensor("arm.w2", 1, (N, N)), Tensor("arm.b2", 3, (N,)),
        Tensor("arm.wo", 2, (2, N)), Tensor("arm.wl", 2, (2, A), extra=E), Tensor("arm.bo", 3, (2,)),
        Tensor("ifc.w", 4, (G, F, 6), 0), Tensor("ifc.b", 4, (G, F), 0),
        Tensor("up.t", 5, (G - 1, 4), 0), Tensor("pre.t", 6, (G, 4), 0),
        Tensor("syn.w1", 7, (M, U), 1, X), Tensor("syn.b1", 9, (M,)),
        Tensor("syn.w2", 8, (3, M)), Tensor("syn.wl", 8, (3, U), 1, X), Tensor("syn.b2", 9, (3,)),
        Tensor("syn.c1", 10, (3, 3, 3, 3)), Tensor("syn.d1", 11, (3,)),
        Tensor("syn.c2", 10, (3, 3, 3, 3)), Tensor("syn.d2", 11, (3,)),
    ]  # fmt: skip


def _fit_slices(prior: IntArray, tensor: Tensor) -> IntArray:
    """Cut or extend the model's prior to this file's grids: slices past the last repeat the last."""
    if tensor.sliced_axis is None:
        return prior
    axis = tensor.sliced_axis
    wanted = np.minimum(np.arange(tensor.shape[axis] - tensor.extra), prior.shape[axis] - 1)
    return prior.take(wanted, axis)


def _extra_priors(tensor: Tensor) -> tuple[IntArray, IntArray]:
    """Mean and scale of the weights of the extra inputs, shape (rows, extra); side.md, section 7."""
    mean = np.zeros((tensor.shape[0], tensor.extra), np.int64)
    if tensor.name == "syn.wl" and tensor.extra:
        mean[:, :3] = np.eye(3, dtype=np.int64) << 14
    return mean, np.full(mean.shape, EXTRA_SCALES[tensor.name], np.int64)


def priors(header: Header) -> Iterator[tuple[Tensor, IntArray, IntArray]]:
    """Each tensor with the prior mean and prior scale index of each of its elements."""
    model = header.model
    position = 0
    wanted_layout = layout(model, header.grids, header.extras)
    for stored, wanted in zip(layout(model, model["grids"]), wanted_layout, strict=True):
        end = position + int(np.prod(stored.shape))
        mean = np.array(model["mean"][position:end], dtype=np.int64).reshape(stored.shape)
        scale = np.array(model["scale"][position:end], dtype=np.int64).reshape(stored.shape)
        mean, scale = _fit_slices(mean, wanted), _fit_slices(scale, wanted)
        if wanted.extra:
            more_mean, more_scale = _extra_priors(wanted)
            mean, scale = np.hstack([mean, more_mean]), np.hstack([scale, more_scale])
        yield wanted, mean, scale
        position = end


def is_absent(name: str, index: tuple[int, ...], grids: int) -> bool:
    """Whether an element reads a grid that does not exist: then it is not coded, and zero."""
    if name != "ifc.w":
        return False
    i, _, column = index
    return i + 1 + column // 2 >= grids


def _decode_header(decoder: RangeDecoder, extras: tuple[int, int]) -> Header:
    model_index = decoder.bits(8)
    if model_index >= len(models()):
        raise UnsupportedError(f"unknown overfit model {model_index}")
    model = models()[model_index]
    grids, fa, fu = decoder.bits(4), decoder.bits(4), decoder.bits(4)
    if not (1 <= grids <= 9 and 4 <= fa <= 11 and 2 <= fu <= 11):
        raise CorruptError("header field out of range")
    k, s = [], []
    for group in range(GROUPS):
        k.append(model["kdef"][group] + symbol(decoder, 0, 72))
        s.append(symbol(decoder, 0, 88))
        if not (0 <= k[-1] <= 13 and -64 <= s[-1] <= 64):
            raise CorruptError("parameter precision out of range")
    return Header(model, grids, fa, fu, k, s, extras)


def _decode_parameter(decoder: RangeDecoder, mean: int, scale: int, k: int, s: int) -> int:
    idx = min(max(80 + scale - 16 * 14 + 16 * k + 4 * s, 0), IDX_MAX)
    value: int = rshift(mean, 14 - k) + symbol(decoder, 0, idx)
    if abs(value) > VALUE_MAX:
        raise CorruptError("parameter out of range")
    return value


def decode_network(decoder: RangeDecoder, extras: tuple[int, int] = (0, 0)) -> Network:
    """Read header and parameters and check the bounds (sections 4 to 6), with so many extra inputs.

    Raises CorruptError or UnsupportedError.
    """
    header = _decode_header(decoder, extras)
    parameters: dict[str, IntArray] = {}
    for tensor, mean, scale in priors(header):
        values = np.zeros(tensor.shape, np.int64)
        k, s = header.k[tensor.group], header.s[tensor.group]
        for index in np.ndindex(tensor.shape):
            if not is_absent(tensor.name, index, header.grids):
                values[index] = _decode_parameter(decoder, int(mean[index]), int(scale[index]), k, s)
        parameters[tensor.name] = values
    network = Network(header, parameters)
    check_bounds(network)
    return network


def check_bounds(network: Network) -> None:
    """Section 6: every accumulator of the decoder fits 32 bits, and no shift is negative."""
    k, fa, fu, p = network.header.k, network.header.fa, network.header.fu, network.p
    shifts_ok = (
        max(k[3] - k[0], k[3] - k[1], k[3] - k[2]) <= fa
        and k[2] + fa >= 6
        and max(k[9] - k[7], k[9] - k[8]) <= fu
        and k[8] + fu >= 10
        and k[11] <= k[10] + 10
    )
    if not shifts_ok:
        raise CorruptError("inconsistent parameter precisions")

    no_bias = np.zeros(1, np.int64)
    side_taps = np.array([1, 2, 2, 2])  # d1, d2 and d3 of a pre filter are used on both sides
    # Each entry: the weights with one row per output, the bias per output, the bias' shift.
    maps = [
        (p["arm.w1"], p["arm.b1"], k[0] + fa - k[3]),
        (p["arm.w2"], p["arm.b2"], k[1] + fa - k[3]),
        (np.hstack([p["arm.wo"], p["arm.wl"]]), p["arm.bo"], k[2] + fa - k[3]),
        (p["ifc.w"], p["ifc.b"], fa),
        (p["up.t"], no_bias, 0),
        (p["pre.t"] * side_taps, no_bias, 0),
        (p["syn.w1"], p["syn.b1"], k[7] + fu - k[9]),
        (np.hstack([p["syn.w2"], p["syn.wl"]]), p["syn.b2"], k[8] + fu - k[9]),
        (p["syn.c1"].reshape(3, 27), p["syn.d1"], k[10] + 10 - k[11]),
        (p["syn.c2"].reshape(3, 27), p["syn.d2"], k[10] + 10 - k[11]),
    ]
    for weights, bias, shift in maps:
        total = 2**15 * np.abs(weights).sum(axis=-1) + np.abs(bias << shift) + 2**20
        if (total >= 2**31).any():
            raise CorruptError("weights could overflow an accumulator")
