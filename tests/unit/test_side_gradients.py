"""Gradients of the fitting engine with inputs from a side picture, against float64 autograd of the oracle."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the gradient oracle needs the [torch] extra")
native = pytest.importorskip("wyner._native", reason="the native extension is not built")

import test_fit_gradients as plain  # noqa: E402

from wyner.nn import overfit  # noqa: E402


class SideCase(plain.Case):
    """A random problem with a side picture: one of noise and holes, or random latents of one."""

    def __init__(self, height: int, width: int, planes: int, model: int, mode: str, grids: int = 7) -> None:
        super().__init__(height, width, planes, model, grids)
        rng = np.random.default_rng([height, width, planes, model, grids, 3])
        if mode == "latents":
            shapes = overfit.grid_sizes(height + 3, width - width // 3, 4)
            latents = [np.rint(rng.laplace(0, 3, shape)).astype(np.int32) for shape in shapes]
            self.side = native.SideInputs.of_latents(latents, width, height)
        else:
            warped = rng.integers(0, 256, (height, width, planes)).astype(np.uint8)
            valid = (rng.random((height, width)) < 0.8).astype(np.uint8)
            self.side = native.SideInputs.of_picture(warped, valid, mode == "full")
        m, (contexts, known) = plain.MODELS[model], self.side.extras
        self.sizes = overfit.ModelSizes(m["S"], m["F"], m["N"], m["M"], grids, contexts, known)
        mean, _ = native.overfit_priors(model, grids, contexts, known)
        self.params = (mean / 2**14 + rng.normal(0, 0.05, mean.size)).astype(np.float32)


@pytest.mark.parametrize(("height", "width"), plain.SIZES)
@pytest.mark.parametrize("planes", [1, 3])
@pytest.mark.parametrize("model", [0, 1, 2])
def test_gradients(height: int, width: int, planes: int, model: int) -> None:
    case = SideCase(height, width, planes, model, "full")
    plain.check(case, plain.native(case, threads=2))


@pytest.mark.parametrize("mode", ["arm", "latents"])
@pytest.mark.parametrize(("height", "width"), [(1, 7), (37, 53)])
def test_gradients_of_the_entropy_model_alone(height: int, width: int, mode: str) -> None:
    case = SideCase(height, width, 3, 1, mode)
    plain.check(case, plain.native(case, threads=1))


@pytest.mark.parametrize("grids", [1, 2, 9])
def test_gradients_with_other_grid_counts(grids: int) -> None:
    case = SideCase(45, 34, 3, 1, "full", grids)
    plain.check(case, plain.native(case, threads=1))


def test_gradients_do_not_depend_on_threads() -> None:
    case = SideCase(129, 200, 3, 2, "full")
    one, two = plain.native(case, 1), plain.native(case, 2)
    for name in one:
        np.testing.assert_array_equal(one[name], two[name], err_msg=name)


def test_side_inputs_of_another_size_are_refused() -> None:
    case = SideCase(12, 13, 3, 0, "full")
    with pytest.raises(ValueError, match="another size"):
        native.Fitter(case.image[:, :, :-1].copy(), 0, 4, side=case.side)
