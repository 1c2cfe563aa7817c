"""Steps with noise may compute hidden layers in bfloat16: near the gradients that float32 gives."""

from __future__ import annotations

import json
import platform
from pathlib import Path

import forced_isa
import numpy as np
import pytest

import wyner

native = pytest.importorskip("wyner._native", reason="the native extension is not built")

X86 = platform.machine().lower() in ("x86_64", "amd64")
MODELS = json.loads((Path(wyner.__file__).parent / "reference" / "models.json").read_text())["models"]
LAMBDA = 0.002
CLOSE = 0.15
"""Of a tensor's 2-norm. Sums that nearly cancel come out up to 6 % off; a term that is wrong, much more."""


def fitter(height: int, width: int, model: int, with_side: bool, threads: int = 1) -> native.Fitter:
    """A young fit of a random picture, in which large and small latents are met."""
    rng = np.random.default_rng([height, width, model])
    rows, columns = np.mgrid[:height, :width]
    image = 0.5 + 0.3 * np.sin(rows / 5 + np.arange(3)[:, None, None]) * np.cos(columns / 7)
    image = np.clip(image + rng.normal(0, 0.05, image.shape), 0, 1).astype(np.float32)
    side = None
    if with_side:
        picture = np.rint(255 * np.moveaxis(image, 0, 2)).astype(np.uint8)
        side = native.SideInputs.of_picture(picture, np.ones((height, width), np.uint8), True)
    return native.Fitter(image, model, 6, threads, 1, side)


def arm_tensors(params: np.ndarray, model: int, contexts: int) -> dict[str, np.ndarray]:
    """The tensors of the ARM, which come first in the parameter vector (docs/spec/overfit.md, section 5)."""
    m = MODELS[model]
    inputs, n = m["S"] + m["F"] + contexts, m["N"]
    sizes = {"w1": n * inputs, "b1": n, "w2": n * n, "b2": n, "wo": 2 * n, "wl": 2 * inputs, "bo": 2}
    ends = np.cumsum(list(sizes.values()))
    return dict(zip(sizes, np.split(params, ends)[:-1], strict=True))


def largest_error(height: int, width: int, model: int, with_side: bool = False) -> float:
    """Over tensors: error of the gradient in the precision of steps with noise, relative to its 2-norm."""
    fit = fitter(height, width, model, with_side)
    fit.run(10, 0.16, 0.01, 0.3, 0.2, LAMBDA)
    exact, rough = fit.gradients(LAMBDA), fit.gradients(LAMBDA, rough=True)
    contexts = 4 if with_side else 0
    pairs = list(zip(rough["latents"], exact["latents"], strict=True))
    tensors = [arm_tensors(g["params"], model, contexts) for g in (rough, exact)]
    pairs += [(tensors[0][name], tensors[1][name]) for name in tensors[1]]
    pairs += [(np.array(rough["grid_bits"]), np.array(exact["grid_bits"]))]
    assert all(e.any() for _, e in pairs)
    return max(float(np.linalg.norm(r - e) / np.linalg.norm(e)) for r, e in pairs)


def fitted(threads: int) -> str:
    """Where some steps with noise lead to."""
    fit = fitter(97, 130, 1, False, threads)
    fit.run(30, 0.16, 0.01, 0.3, 0.2, LAMBDA, thin=2)
    return fit.get_params().tobytes().hex()


@pytest.mark.skipif(not X86, reason="these instructions are those of x86-64")
@pytest.mark.parametrize(("height", "width"), [(7, 9), (37, 53), (66, 200)])
@pytest.mark.parametrize("model", [0, 1, 2])
@pytest.mark.parametrize("with_side", [False, True])
def test_bfloat16_gradients_are_near(height: int, width: int, model: int, with_side: bool) -> None:
    call = f"t.largest_error({height}, {width}, {model}, {with_side})"
    run = forced_isa.run("v4_bf16", "test_fit_precision", call)
    isa, error = run.stdout.split()
    assert isa == "v4_bf16"
    assert 0 < float(error) < CLOSE


@pytest.mark.parametrize("isa", ["v2", "v3", "v4"] if X86 else ["base"])
def test_other_instruction_sets_round_nothing(isa: str) -> None:
    run = forced_isa.run(isa, "test_fit_precision", "t.largest_error(37, 53, 1)")
    assert run.stdout.split() == [isa, "0.0"], run.stderr


@pytest.mark.skipif(not X86, reason="these instructions are those of x86-64")
def test_a_bfloat16_fit_does_not_depend_on_threads() -> None:
    run = forced_isa.run("v4_bf16", "test_fit_precision", "t.fitted(1) == t.fitted(2)")
    assert run.stdout.split() == ["v4_bf16", "True"], run.stderr
