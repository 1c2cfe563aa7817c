"""The PyTorch oracle of the fitting step against a plain-loop reading of the specification, in float64."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the oracle needs the [torch] extra")

from wyner.nn import overfit  # noqa: E402


def clamped(grid: np.ndarray, y: int, x: int) -> float:
    """Sample with both coordinates clamped into the grid."""
    h, w = grid.shape
    return float(grid[min(max(y, 0), h - 1), min(max(x, 0), w - 1)])


def loop_features(p: dict, grids: list, i: int, y: int, x: int) -> list[float]:
    """Section 7: the features at latent (y, x) of grid i."""
    F = p["ifc.b"].shape[1]
    out = [float(p["ifc.b"][i, k]) for k in range(F)]
    for m in range(3):
        if i + 1 + m >= len(grids):
            break
        q, cy, cx = grids[i + 1 + m], (y >> 1) >> m, (x >> 1) >> m
        near = [
            (2 - abs(a)) * (2 - abs(b)) * abs(clamped(q, cy + a, cx + b))
            for a in (-1, 0, 1)
            for b in (-1, 0, 1)
        ]
        for k in range(F):
            out[k] += p["ifc.w"][i, k, 2 * m] * q[cy, cx] + p["ifc.w"][i, k, 2 * m + 1] * sum(near) / 16
    return out


def loop_bits(p: dict, grids: list, S: int) -> list[float]:
    """Bits of every grid."""
    totals = []
    for i, q in enumerate(grids):
        total = 0.0
        for y, x in np.ndindex(*q.shape):
            inside = [(y + dy, x + dx) for dy, dx in overfit.NEIGHBOURS[:S]]
            near = [q[a, b] if 0 <= a < q.shape[0] and 0 <= b < q.shape[1] else 0.0 for a, b in inside]
            v = np.array(near + loop_features(p, grids, i, y, x))
            h1 = np.maximum(p["arm.w1"] @ v + p["arm.b1"], 0)
            h2 = np.maximum(p["arm.w2"] @ h1 + p["arm.b2"], 0)
            mu, s = p["arm.wo"] @ h2 + p["arm.wl"] @ v + p["arm.bo"]
            b = 2.0 ** min(max(s, -5.0), 8.0)

            def below(t: float, b: float = b) -> float:
                return 0.5 * math.exp(t / b) if t < 0 else 1 - 0.5 * math.exp(-t / b)

            total -= math.log2(below(q[y, x] + 0.5 - mu) - below(q[y, x] - 0.5 - mu) + 2.0**-16)
        totals.append(total)
    return totals


def loop_prefilter(q: np.ndarray, d: np.ndarray) -> np.ndarray:
    for step in ((1, 0), (0, 1)):
        out = np.zeros_like(q)
        for y, x in np.ndindex(*q.shape):
            out[y, x] = d[0] * q[y, x]
            for m in (1, 2, 3):
                dy, dx = m * step[0], m * step[1]
                out[y, x] += d[m] * (clamped(q, y - dy, x - dx) + clamped(q, y + dy, x + dx))
        q = out
    return q


def loop_double(v: np.ndarray, c: np.ndarray, size: int) -> np.ndarray:
    """x2 along the rows axis only, to `size` rows."""
    out = np.zeros((size, v.shape[1]))
    for y, x in np.ndindex(*out.shape):
        n = y >> 1
        taps = c if y % 2 == 0 else c[::-1]
        first = n - 2 if y % 2 == 0 else n - 1
        out[y, x] = sum(taps[k] * clamped(v, first + k, x) for k in range(4))
    return out


def loop_filter3(z: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    out = np.zeros_like(z)
    for o, y, x in np.ndindex(*z.shape):
        taps = np.ndindex(3, 3, 3)
        out[o, y, x] = bias[o] + sum(
            weight[o, i, a, b] * clamped(z[i], y + a - 1, x + b - 1) for i, a, b in taps
        )
    return out


def loop_image(p: dict, grids: list, planes: int) -> np.ndarray:
    """Sections 8 and 9 in floats."""
    u = [loop_prefilter(grids[-1], p["pre.t"][-1])]
    for i in reversed(range(len(grids) - 1)):
        rows, cols = grids[i].shape
        c = p["up.t"][i]
        u = [loop_double(loop_double(v, c, rows).T, c, cols).T for v in u]
        u = [loop_prefilter(grids[i], p["pre.t"][i]), *u]
    stack = np.stack(u)
    h = np.maximum(np.einsum("mg,gyx->myx", p["syn.w1"], stack) + p["syn.b1"][:, None, None], 0)
    z = np.einsum("om,myx->oyx", p["syn.w2"], h) + np.einsum("og,gyx->oyx", p["syn.wl"], stack)
    z += p["syn.b2"][:, None, None]
    z = z + loop_filter3(np.maximum(loop_filter3(z, p["syn.c1"], p["syn.d1"]), 0), p["syn.c2"], p["syn.d2"])
    t = z / 16
    return t[:1] if planes == 1 else np.stack([t[0] + t[1] - t[2], t[0] + t[2], t[0] - t[1] - t[2]])


@pytest.mark.parametrize(("height", "width", "grids", "planes"), [(5, 6, 4, 3), (1, 7, 5, 1), (1, 1, 2, 3)])
def test_oracle_is_the_specification(height: int, width: int, grids: int, planes: int) -> None:
    rng = np.random.default_rng(7)
    sizes = overfit.ModelSizes(S=20, F=2, N=5, M=4, G=grids)
    count = sum(math.prod(s) for s in overfit.tensor_shapes(sizes).values())
    params = torch.tensor(rng.normal(0, 0.4, count))
    latents = [rng.normal(0, 3, s).round() for s in overfit.grid_sizes(height, width, grids)]
    image = rng.random((planes, height, width))
    tensors = [torch.tensor(q) for q in latents]
    loss, mse, bits = overfit.step(params, tensors, torch.tensor(image), sizes, 0.01)

    p = {k: v.numpy() for k, v in overfit.unpack(params, sizes).items()}
    expected_bits = loop_bits(p, latents, sizes.S)
    expected_mse = float(np.mean((loop_image(p, latents, planes) - image) ** 2))
    np.testing.assert_allclose(bits.numpy(), expected_bits, rtol=1e-9)
    assert float(mse) == pytest.approx(expected_mse, rel=1e-10)
    expected = expected_mse + 0.01 * sum(expected_bits) / (height * width)
    assert float(loss) == pytest.approx(expected, rel=1e-10)


def test_gates_do_not_change_the_result() -> None:
    rng = np.random.default_rng(8)
    sizes = overfit.ModelSizes(S=6, F=2, N=8, M=8, G=3)
    count = sum(math.prod(s) for s in overfit.tensor_shapes(sizes).values())
    params = torch.tensor(rng.normal(0, 0.8, count), requires_grad=True)
    latents = [torch.tensor(rng.normal(0, 9, s).round()) for s in overfit.grid_sizes(9, 8, 3)]
    image = torch.tensor(rng.random((3, 9, 8)))
    results = []
    for gate in (None, lambda name, margin: margin > 0):
        loss = overfit.step(params, latents, image, sizes, 0.1, gate)[0]
        results.append((loss.detach(), torch.autograd.grad(loss, params)[0]))
    assert float(results[0][0]) == float(results[1][0])
    torch.testing.assert_close(results[0][1], results[1][1], rtol=1e-12, atol=0)


def test_soft_round() -> None:
    y = torch.linspace(-3.0, 3.0, 1201, dtype=torch.float64)
    assert torch.allclose(overfit.soft_round(y, 50.0), y, atol=1e-4)
    halves = (y - torch.floor(y) - 0.5).abs() > 0.02
    assert torch.allclose(overfit.soft_round(y, 1e-3)[halves], torch.round(y)[halves])
    numbers = torch.arange(-3, 3, dtype=torch.float64)
    assert torch.allclose(overfit.soft_round(numbers, 0.3), numbers)
    assert torch.allclose(overfit.quantiser_proxy(y, torch.zeros_like(y), 60.0), y, atol=1e-3)


def test_laplace_bits_far_and_wide() -> None:
    q = torch.tensor([0.0, 0.0, 4000.0, -4000.0, 3.0], dtype=torch.float32)
    mu = torch.tensor([0.0, 0.5, 0.0, 0.0, 2.9], dtype=torch.float32)
    s = torch.tensor([-5.0, -5.0, -5.0, 8.0, 8.0], dtype=torch.float32)
    bits = overfit.laplace_bits(q, mu, s)
    exact = overfit.laplace_bits(q.double(), mu.double(), s.double())
    torch.testing.assert_close(bits.double(), exact, rtol=1e-5, atol=1e-6)
    assert bits[1] == pytest.approx(1.0, abs=1e-4)
    assert bits[2] == 16.0
