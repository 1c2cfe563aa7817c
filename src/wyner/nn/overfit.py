"""One fitting step of the `overfit` codec in PyTorch: the oracle of the native engine, in any dtype.

It mirrors docs/spec/overfit.md in real numbers, without rounding or saturation: parameters are their
values (not integers of k_g fractional bits), latents are floats, `s` is log2 of the Laplace scale.
Parameters are one flat vector in the order of section 5, with the absent entries of ifc.w included and
unused. Everything is differentiable by autograd, and vectorised over the latents of all grids so that its
speed is worth comparing with.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as nnf
from torch import Tensor

NEIGHBOURS = (
    (0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 0), (-1, -2), (-1, 2), (-2, -1), (-2, 1),
    (0, -3), (-3, 0), (-2, -2), (-2, 2), (-1, -3), (-3, -1), (-3, 1), (-2, -3), (-2, 3), (-3, -2),
)  # fmt: skip
"""Offsets (dy, dx) of the causal neighbours, section 7."""

MIN_PROBABILITY = 2.0**-16
LOG2_SCALE = (-5.0, 8.0)

Gate = Callable[[str, Tensor], Tensor]
"""`gate(name, margin)` gives the boolean mask of the units that pass; the rule is margin > 0."""


@dataclass(frozen=True)
class ModelSizes:
    """Sizes of one model for one image: S neighbours, F features, ARM width N, synthesis width M, G grids.

    E contexts and X planes come from a side picture (docs/spec/side.md), none without one.
    """

    S: int
    F: int
    N: int
    M: int
    G: int
    E: int = 0
    X: int = 0


@dataclass(frozen=True)
class SideTensors:
    """What is known from a side picture: E contexts (E, h_i, w_i) of each grid, and X planes (X, H, W)."""

    contexts: Sequence[Tensor]
    planes: Tensor


def tensor_shapes(sizes: ModelSizes) -> dict[str, tuple[int, ...]]:
    """Shapes of the parameter tensors, in file order (section 5)."""
    A, F, N, M, G = sizes.S + sizes.F + sizes.E, sizes.F, sizes.N, sizes.M, sizes.G
    U = G + sizes.X
    return {
        "arm.w1": (N, A), "arm.b1": (N,), "arm.w2": (N, N), "arm.b2": (N,),
        "arm.wo": (2, N), "arm.wl": (2, A), "arm.bo": (2,),
        "ifc.w": (G, F, 6), "ifc.b": (G, F), "up.t": (G - 1, 4), "pre.t": (G, 4),
        "syn.w1": (M, U), "syn.b1": (M,), "syn.w2": (3, M), "syn.wl": (3, U), "syn.b2": (3,),
        "syn.c1": (3, 3, 3, 3), "syn.d1": (3,), "syn.c2": (3, 3, 3, 3), "syn.d2": (3,),
    }  # fmt: skip


def unpack(params: Tensor, sizes: ModelSizes) -> dict[str, Tensor]:
    """Views of a flat parameter (or gradient) vector, by tensor name."""
    shapes = tensor_shapes(sizes)
    counts = [math.prod(s) for s in shapes.values()]
    if params.shape != (sum(counts),):
        raise ValueError(f"{tuple(params.shape)} parameters where {sizes} has {sum(counts)}")
    parts = torch.split(params, counts)
    return {name: part.view(shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}


def grid_sizes(height: int, width: int, grids: int) -> list[tuple[int, int]]:
    """(rows, columns) of each latent grid, grid 0 first."""
    return [(-(-height >> i), -(-width >> i)) for i in range(grids)]


def split_latents(flat: Tensor, height: int, width: int, grids: int) -> list[Tensor]:
    """Views of one flat latent vector as 2-D grids, grid 0 first."""
    shapes = grid_sizes(height, width, grids)
    parts = torch.split(flat, [h * w for h, w in shapes])
    return [part.view(shape) for part, shape in zip(parts, shapes, strict=True)]


# --- quantiser proxy ----------------------------------------------------------------------------


def soft_round(y: Tensor, temperature: float) -> Tensor:
    """S_T(y) = floor(y) + 1/2 + tanh((y - floor(y) - 1/2) / T) / (2 tanh(1 / 2T)); C3, Kim et al. 2024."""
    base = torch.floor(y) + 0.5
    return base + torch.tanh((y - base) / temperature) / (2 * math.tanh(0.5 / temperature))


def quantiser_proxy(y: Tensor, noise: Tensor, temperature: float) -> Tensor:
    """S_T(S_T(y) + noise), the differentiable stand-in for rounding; `noise` is shaped as y."""
    return soft_round(soft_round(y, temperature) + noise, temperature)


# --- entropy model ------------------------------------------------------------------------------


def _relu(name: str, x: Tensor, gate: Gate | None) -> Tensor:
    return torch.relu_(x) if gate is None else torch.where(gate(name, x), x, 0.0)


def _extended(v: Tensor, axis: int, reach: int) -> Tensor:
    """v with its first and last slice along an axis repeated `reach` times."""
    size = v.shape[axis]
    first = v.narrow(axis, 0, 1).expand(*(reach if a == axis else -1 for a in range(v.ndim)))
    last = v.narrow(axis, size - 1, 1).expand_as(first)
    return torch.cat([first, v, last], dim=axis)


def _double(maps: Tensor, rows: int, cols: int) -> Tensor:
    """Nearest upsampling by two of (K, h, w) planes, cropped to (rows, cols)."""
    k, h, w = maps.shape
    wide = maps[:, :, None, :, None].expand(k, h, 2, w, 2).reshape(k, 2 * h, 2 * w)
    return wide[:, :rows, :cols]


def _smoothed(q: Tensor) -> Tensor:
    """s / 16 of section 7: |q| under the kernel [1 2 1; 2 4 2; 1 2 1] / 16, edges clamped."""
    p = _extended(_extended(q.abs(), 0, 1), 1, 1)
    v = p[:-2] + 2 * p[1:-1] + p[2:]
    return (v[:, :-2] + 2 * v[:, 1:-1] + v[:, 2:]) / 16


def _features(p: dict[str, Tensor], grids: Sequence[Tensor], pairs: Sequence[Tensor], i: int) -> Tensor:
    """The F inter-grid features at each latent of grid i, (F, h_i, w_i)."""
    F = p["ifc.b"].shape[1]
    h, w = grids[i].shape
    f = p["ifc.b"][i][:, None, None]
    # The linear map commutes with nearest upsampling, so each grid is mapped at its own size, coarsest first.
    total: Tensor | None = None
    for m in reversed(range(min(3, len(grids) - 1 - i))):
        j = i + 1 + m
        mapped = (p["ifc.w"][i, :, 2 * m : 2 * m + 2] @ pairs[j].reshape(2, -1)).view(F, *grids[j].shape)
        total = mapped if total is None else mapped + _double(total, *grids[j].shape)
    return f.expand(F, h, w) if total is None else _double(total + f, h, w)


def arm_inputs(
    p: dict[str, Tensor], grids: Sequence[Tensor], S: int, side: SideTensors | None = None
) -> Tensor:
    """Context vectors of every latent of every grid, (S + F + E, latents), grid 0 first, row-major."""
    pairs = [torch.stack([q, _smoothed(q)]) for q in grids]
    columns = []
    for i, q in enumerate(grids):
        h, w = q.shape
        padded = nnf.pad(q, (3, 3, 3, 0))
        near = [padded[3 + dy : 3 + dy + h, 3 + dx : 3 + dx + w] for dy, dx in NEIGHBOURS[:S]]
        known = [side.contexts[i]] if side else []
        columns.append(
            torch.cat([torch.stack(near), _features(p, grids, pairs, i), *known]).reshape(-1, h * w)
        )
    return torch.cat(columns, dim=1)


def arm(p: dict[str, Tensor], x: Tensor, gate: Gate | None = None) -> tuple[Tensor, Tensor]:
    """Location and log2 scale of every latent, (latents,) each, from contexts x (A, latents)."""
    h1 = _relu("arm.h1", torch.addmm(p["arm.b1"][:, None], p["arm.w1"], x), gate)
    h2 = _relu("arm.h2", torch.addmm(p["arm.b2"][:, None], p["arm.w2"], h1), gate)
    mu, s = torch.addmm(torch.addmm(p["arm.bo"][:, None], p["arm.wl"], x), p["arm.wo"], h2)
    lo, hi = LOG2_SCALE
    if gate is None:
        return mu, s.clamp(lo, hi)
    return mu, torch.where(gate("arm.s", torch.minimum(s - lo, hi - s)), s, s.detach().clamp(lo, hi))


def laplace_bits(q: Tensor, mu: Tensor, log2_scale: Tensor) -> Tensor:
    """-log2(P + 2^-16) with P the Laplace(mu, 2^log2_scale) probability of q +- 1/2, elementwise.

    By symmetry only d = |q - mu| matters. In the tail P is a product, not a difference of exponentials; near
    the mode it is a sum of two expm1, so no digits are lost for narrow or for wide scales.
    """
    inv = torch.exp2(-log2_scale)
    d = (q - mu).abs()
    edge = -(d - 0.5).abs() * inv
    tail = torch.exp(edge) * torch.expm1(-inv)
    mode = torch.expm1(edge) + torch.expm1(-(d + 0.5) * inv)
    prob = -0.5 * torch.where(d > 0.5, tail, mode)
    return -torch.log2(prob + MIN_PROBABILITY)


def rate_bits(
    p: dict[str, Tensor],
    grids: Sequence[Tensor],
    sizes: ModelSizes,
    gate: Gate | None = None,
    side: SideTensors | None = None,
) -> Tensor:
    """Bits of each grid, (G,)."""
    x = arm_inputs(p, grids, sizes.S, side)
    mu, s = arm(p, x, gate)
    bits = laplace_bits(torch.cat([q.reshape(-1) for q in grids]), mu, s)
    return torch.stack([part.sum() for part in torch.split(bits, [q.numel() for q in grids])])


# --- upsampling and synthesis -------------------------------------------------------------------


def _filter_axis(v: Tensor, taps: Sequence[Tensor], axis: int, first: int) -> Tensor:
    """out[n] = sum_k taps[k] v[n + first + k] along an axis of v, edges clamped.

    Sums of shifted views: torch's convolutions with one channel are several times slower.
    """
    size, reach = v.shape[axis], max(-first, first + len(taps) - 1)
    wide = _extended(v, axis, reach)
    out = taps[0] * wide.narrow(axis, reach + first, size)
    for k in range(1, len(taps)):
        out = torch.addcmul(out, taps[k], wide.narrow(axis, reach + first + k, size))
    return out


def prefilter(q: Tensor, d: Tensor) -> Tensor:
    """The symmetric 7-tap filter of section 8 on one grid, along columns, then along rows."""
    taps = torch.cat([d[1:].flip(0), d]).unbind()
    return _filter_axis(_filter_axis(q, taps, 0, -3), taps, 1, -3)


def double_planes(v: Tensor, c: Tensor, rows: int, cols: int) -> Tensor:
    """x2 of section 8: (K, h, w) planes to (K, rows, cols), first vertically, then horizontally."""
    even, odd = c.unbind(), c.flip(0).unbind()
    k, h, w = v.shape
    tall = torch.stack([_filter_axis(v, even, 1, -2), _filter_axis(v, odd, 1, -1)], dim=2)
    tall = tall.reshape(k, 2 * h, w)[:, :rows]
    wide = torch.stack([_filter_axis(tall, even, 2, -2), _filter_axis(tall, odd, 2, -1)], dim=3)
    return wide.reshape(k, rows, 2 * w)[:, :, :cols]


def upsample(p: dict[str, Tensor], grids: Sequence[Tensor]) -> Tensor:
    """The G planes u at full size, (G, H, W)."""
    u = prefilter(grids[-1], p["pre.t"][-1])[None]
    for i in reversed(range(len(grids) - 1)):
        fine = prefilter(grids[i], p["pre.t"][i])[None]
        u = torch.cat([fine, double_planes(u, p["up.t"][i], *grids[i].shape)])
    return u


def _filter3x3(z: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """3x3 cross-correlation of (3, H, W) planes with weight (3, 3, 3, 3), edges clamped."""
    _, H, W = z.shape
    wide = _extended(_extended(z, 1, 1), 2, 1)
    columns = torch.stack([wide[:, a : a + H, b : b + W] for a in range(3) for b in range(3)], dim=1)
    return torch.addmm(bias[:, None], weight.reshape(3, 27), columns.reshape(27, H * W)).view(3, H, W)


def synthesise(p: dict[str, Tensor], u: Tensor, planes: int, gate: Gate | None = None) -> Tensor:
    """Reconstruction (planes, H, W) in units of full scale, not clamped, from u (G + X, H, W)."""
    inputs, H, W = u.shape
    flat = u.reshape(inputs, -1)
    h = _relu("syn.h", torch.addmm(p["syn.b1"][:, None], p["syn.w1"], flat), gate)
    z = torch.addmm(torch.addmm(p["syn.b2"][:, None], p["syn.wl"], flat), p["syn.w2"], h).view(3, H, W)
    r = _relu("syn.r", _filter3x3(z, p["syn.c1"], p["syn.d1"]), gate)
    luma, orange, green = (z + _filter3x3(r, p["syn.c2"], p["syn.d2"])) / 16
    if planes == 1:
        return luma[None]
    return torch.stack([luma + orange - green, luma + green, luma - orange - green])


# --- the step -----------------------------------------------------------------------------------


def step(
    params: Tensor,
    latents_q: Sequence[Tensor],
    image: Tensor,
    sizes: ModelSizes,
    lam: float,
    gate: Gate | None = None,
    side: SideTensors | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """(loss, mse, bits per grid) of already quantised (or noisy) latents.

    params: flat vector; latents_q: G grids (h_i, w_i), grid 0 first; image: (C, H, W) in [0, 1], C 1 or 3.
    loss = mse + lam * bits / (H W); mse is the mean over pixels and planes. All of one dtype.
    `gate` replaces the decision of every ReLU and clamp, for tests that need to know or turn it. `side` is
    given if sizes.E is not 0.
    """
    p = unpack(params, sizes)
    bits = rate_bits(p, latents_q, sizes, gate, side)
    planes, height, width = image.shape
    u = upsample(p, latents_q)
    if side is not None:
        u = torch.cat([u, side.planes])
    mse = (synthesise(p, u, planes, gate) - image).square().mean()
    return mse + lam * bits.sum() / (height * width), mse, bits


class TorchFitter:
    """Complete fitting steps in float32 (proxy, forward, backward, Adam), for timing the native engine."""

    def __init__(
        self,
        image: Tensor,
        params: Tensor,
        sizes: ModelSizes,
        rates: tuple[float, float] = (1e-2, 1e-2),
        compiled: bool = False,
    ) -> None:
        """image (C, H, W) float32; latents start at 0; `rates`: step sizes of latents and parameters."""
        self.image, self.sizes = image, sizes
        _, self.height, self.width = image.shape
        count = sum(h * w for h, w in grid_sizes(self.height, self.width, sizes.G))
        self.latents = torch.zeros(count, requires_grad=True)
        self.params = params.clone().requires_grad_(True)
        groups = [{"params": [self.latents], "lr": rates[0]}, {"params": [self.params], "lr": rates[1]}]
        self.adam = torch.optim.Adam(groups, fused=True)
        self.loss = torch.compile(self._loss) if compiled else self._loss

    def _loss(self, noise: Tensor, temperature: float, lam: float) -> tuple[Tensor, Tensor, Tensor]:
        flat = quantiser_proxy(self.latents, noise, temperature)
        grids = split_latents(flat, self.height, self.width, self.sizes.G)
        return step(self.params, grids, self.image, self.sizes, lam)

    def run(self, steps: int, temperature: float, noise: float, lam: float) -> tuple[float, float, float]:
        """Do some steps with Gaussian noise of that deviation; (loss, mse, bits) of the last."""
        for _ in range(steps):
            self.adam.zero_grad(set_to_none=True)
            sample = torch.randn_like(self.latents).mul_(noise)
            loss, mse, bits = self.loss(sample, temperature, lam)
            loss.backward()
            self.adam.step()
        return float(loss.detach()), float(mse.detach()), float(bits.detach().sum())
