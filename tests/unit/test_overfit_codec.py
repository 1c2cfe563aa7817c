"""The overfitted codec from end to end: goals, determinism, formats. Pictures are tiny: fits take moments."""

from __future__ import annotations

import numpy as np
import pytest
from skimage import data

import wyner
from wyner._native import Fitter
from wyner.codecs.base import Settings
from wyner.codecs.overfit import decode, fit, macs_per_pixel, schedule
from wyner.codecs.overfit.coarse import PER_GRID, half_size, shifted
from wyner.codecs.overfit.fit import fit_and_code
from wyner.codecs.overfit.goal import Goal
from wyner.codecs.overfit.model import Model, load_model, tensor_shapes
from wyner.codecs.overfit.schedule import grid_count, lambda_of_quality
from wyner.codecs.overfit.stream import Coded, Picture
from wyner.codecs.overfit.weights import network_bits, quantise_weights

PHOTO = np.ascontiguousarray(data.astronaut()[60:156, 160:300])


def bits_per_pixel(encoded: bytes) -> float:
    return 8 * len(encoded) / (PHOTO.shape[0] * PHOTO.shape[1])


def test_more_quality_is_more_bytes_and_less_error() -> None:
    files = [wyner.encode(PHOTO, quality=q, effort=1) for q in (20, 50, 80)]
    errors = [wyner.compare(PHOTO, f).psnr_db for f in files]
    assert sorted(map(len, files)) == [len(f) for f in files]
    assert sorted(errors) == errors
    assert errors[2] > errors[0] + 6


@pytest.mark.parametrize("bpp", [0.7, 2.0])
def test_target_bpp_is_met_within_two_percent(bpp: float) -> None:
    assert bits_per_pixel(wyner.encode(PHOTO, target_bpp=bpp, effort=2)) == pytest.approx(bpp, rel=0.02)


def test_target_psnr_is_met() -> None:
    encoded = wyner.encode(PHOTO, target_psnr=32.0, effort=2)
    assert wyner.compare(PHOTO, encoded).psnr_db == pytest.approx(32.0, rel=0.02)


def test_a_target_costs_little_in_a_long_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steered as short fits are, this one loses 0.4 dB; here 1000 steps of the medium network are long."""
    monkeypatch.setattr(schedule, "LONG_STEPS", 1000)
    monkeypatch.setitem(schedule.EFFORTS, 1, schedule.Effort("medium", 1000))
    given = wyner.encode(PHOTO, quality=50, effort=1)
    aimed = wyner.encode(PHOTO, target_size=len(given), effort=1)
    assert len(aimed) == pytest.approx(len(given), rel=0.02)
    assert wyner.compare(PHOTO, aimed).psnr_db > wyner.compare(PHOTO, given).psnr_db - 0.2


@pytest.mark.parametrize("goal", [{"quality": 45}, {"target_size": 2500}])
def test_progress_tells_of_quantising(goal: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Which takes minutes of a large picture: at the end, and on trial in long fits to a target."""
    monkeypatch.setattr(schedule, "LONG_STEPS", 200)
    seen: list[wyner.Progress] = []
    wyner.encode(PHOTO, effort=1, progress=seen.append, **goal)
    fitting = [now for now in seen if now.phase not in ("probe", "closing")]
    steps = [now.step for now in fitting]
    assert steps == sorted(steps) and steps[-1] <= fitting[-1].steps
    assert 0.85 * steps[-1] < steps[-2] <= steps[-1] == fitting[-1].steps
    phases = [now.phase for now in fitting]
    assert phases[-2:] == ["quantise", "done"]
    assert ("quantise" in phases[: phases.index("networks")]) == ("target_size" in goal)


@pytest.mark.parametrize("goal", [{"quality": 45}, {"target_size": 2500}, {"target_psnr": 33.0}])
def test_progress_ends_with_what_the_file_is(goal: dict[str, float]) -> None:
    seen: list[wyner.Progress] = []
    encoded = wyner.encode(PHOTO, effort=1, progress=seen.append, **goal)
    found = wyner.compare(PHOTO, encoded)
    assert seen[-1].phase == "done"
    assert seen[-1].psnr_db == pytest.approx(found.psnr_db, abs=1e-4)
    assert seen[-1].bpp * PHOTO.shape[0] * PHOTO.shape[1] / 8 == pytest.approx(len(encoded), abs=2)


@pytest.mark.parametrize(
    "settings, misses, passes",
    [
        (Settings(target_bytes=1000, overhead_bytes=100), (7361.0, 0.0), (7359.0, 0.0)),
        (Settings(target_bpp=0.5), (8161.0, 0.0), (8159.0, 0.0)),
        (Settings(target_psnr=40.0), (0.0, 10**-3.91), (0.0, 10**-3.93)),
    ],
)
def test_what_counts_as_a_missed_goal(
    settings: Settings, misses: tuple[float, float], passes: tuple[float, float]
) -> None:
    """Sizes by more than 2 % of the file, of which the payload is a part, and PSNR by more than 2 %."""
    goal = Goal.of(settings, 16000)
    assert goal.failed(*misses) and not goal.failed(*passes)
    assert not Goal.of(Settings(quality=60.0), 16000).failed(1e9, 1.0)


def test_a_file_within_its_target_is_not_given_up_for_a_nearer_one_over_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sizes = iter([2000, 1030, 960, 900, 1040, 1025, 1022, 1060, 1100])
    coded: list[int] = []

    def code(self: Picture, model: object, w: object, latents: object, threads: int) -> Coded:
        coded.append(next(sizes))
        return Coded((bytes(coded[-1]),), 1e-3)

    monkeypatch.setattr(Picture, "code", code)
    kept = fit_and_code(Picture(PHOTO[:32, :32]), Settings(target_bytes=1000, effort=1), None)
    assert coded[:4] == [2000, 1030, 960, 900] and len(kept.payloads[0]) == 960


def test_more_threads_than_a_fitter_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    class Asked(Exception):
        pass

    def fitter(self: Picture, model: Model, threads: int, seed: int) -> Fitter:
        raise Asked(threads)

    monkeypatch.setattr(fit, "THREAD_PIXELS", 1)
    monkeypatch.setattr(Picture, "fitter", fitter)
    with pytest.raises(Asked, match=f"^{fit.MOST_THREADS}$"):
        wyner.encode(PHOTO[:20, :20], effort=1, threads=300)
    fits = Fitter(np.zeros((3, 20, 20), np.float32), 0, 5, fit.MOST_THREADS)
    assert len(fits.gradients(1e-3)["grid_bits"]) == 5
    with pytest.raises(ValueError, match="threads"):
        Fitter(np.zeros((3, 20, 20), np.float32), 0, 5, fit.MOST_THREADS + 1)


@pytest.mark.parametrize("shape", [(1, 131073), (131073, 1, 3)])
def test_too_many_columns_or_rows_are_refused_before_the_fit(shape: tuple[int, ...]) -> None:
    with pytest.raises(wyner.LimitError, match="131072"):
        wyner.encode(np.zeros(shape, np.uint8), effort=1)
    with pytest.raises(wyner.LimitError, match="131072"):
        decode(bytes(16), 131073, 1, 3, 255)


def test_threads_do_not_change_a_byte() -> None:
    big = np.tile(PHOTO, (4, 2, 1))  # small pictures are fitted on one thread anyway
    one, two = (wyner.encode(big, quality=40, effort=1, threads=n) for n in (1, 2))
    assert one == two


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 9, 1), (17, 2, 3), (33, 40, 1)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_any_size_and_depth_comes_back_near(shape: tuple[int, int, int], dtype: type) -> None:
    ramp = np.linspace(0.2, 0.8, shape[0] * shape[1])[:, None].repeat(shape[2], 1).reshape(shape)
    pixels = (ramp * np.iinfo(dtype).max).astype(dtype)
    image = wyner.decode(wyner.encode(pixels, quality=80, effort=1))
    assert image.pixels.shape == shape and image.pixels.dtype == dtype
    error = np.abs(image.pixels.astype(float) - pixels) / np.iinfo(dtype).max
    assert error.mean() < 0.03


def test_prior_layout_covers_every_parameter() -> None:
    for grids in (1, 4, 7, 9):
        model = load_model(2, grids)
        size = sum(int(np.prod(s)) for s in tensor_shapes(model.S, model.F, model.N, model.M, grids).values())
        assert model.mean.size == model.scale.size == model.group.size == size


def test_parameters_at_the_prior_cost_almost_nothing() -> None:
    model = load_model(1, 7)
    at_prior = np.ldexp(model.mean.astype(np.float32), -14)
    assert network_bits(model, at_prior) < network_bits(model, at_prior + 0.3) / 2


def test_steps_of_weights_follow_their_weight_in_the_loss() -> None:
    """A quadratic loss that is steeper for one group must give that group finer steps."""
    model = load_model(1, 7)
    rng = np.random.default_rng(0)
    params = (np.ldexp(model.mean, -14) + rng.normal(0, 0.05, model.mean.size)).astype(np.float32)

    def fineness(steep: float) -> int:
        weight = np.where(model.group == 0, steep, 1e-4)

        def loss(p: np.ndarray) -> float:
            return float((weight * (p - params) ** 2).sum())

        def gradient(p: np.ndarray) -> np.ndarray:
            return (2 * weight * (p - params)).astype(np.float32)

        return quantise_weights(model, params, 1e-3, 400_000, loss, gradient, 40).k[0]

    assert fineness(1e-3) > fineness(1e-6)


def test_grids_grow_with_the_picture() -> None:
    assert [grid_count(*s) for s in ((1, 1), (2, 1), (768, 512), (2000, 1000), (6000, 4000))] == [
        1,
        2,
        7,
        8,
        9,
    ]


def test_quality_is_even_in_log_lambda() -> None:
    assert lambda_of_quality(25) / lambda_of_quality(50) == pytest.approx(
        lambda_of_quality(50) / lambda_of_quality(75)
    )


@pytest.mark.parametrize("index", [0, 1, 5])
def test_compute_is_known_from_the_payload(index: int) -> None:
    """A code just below the first byte's value belongs to the model above it."""
    code = index * ((2**64 - 1) >> 8)
    assert macs_per_pixel(code.to_bytes(8, "big")) == load_model(index, 7).macs_per_pixel()


@pytest.mark.parametrize("shape", [(3, 6, 8), (1, 7, 5), (3, 1, 4)])
def test_half_size_is_the_mean_of_what_there_is(shape: tuple[int, int, int]) -> None:
    image = np.random.default_rng(0).random(shape, np.float32)
    small = half_size(image)
    assert small.shape == (shape[0], (shape[1] + 1) // 2, (shape[2] + 1) // 2)
    np.testing.assert_allclose(small[:, 0, 0], image[:, :2, :2].mean((1, 2)), rtol=1e-6)
    last = image[:, shape[1] - 2 + shape[1] % 2 :, shape[2] - 2 + shape[2] % 2 :]
    np.testing.assert_allclose(small[:, -1, -1], last.mean((1, 2)), rtol=1e-6)


@pytest.mark.parametrize("grids", [3, 7, 9])
def test_networks_of_the_half_size_are_those_of_the_coarser_grids(grids: int) -> None:
    """Every tensor of the smaller model is that of the larger one without the finest grid."""
    full, coarse = load_model(1, grids), load_model(1, grids - 1)
    values = np.arange(full.group.size, dtype=np.float32)
    small = values[shifted(full, coarse)]
    assert small.size == coarse.group.size and np.unique(small).size == small.size
    for name in full.offsets:
        expected = full.tensor(values, name)
        if name in PER_GRID:
            expected = np.moveaxis(np.moveaxis(expected, PER_GRID[name], 0)[1:], 0, PER_GRID[name])
        np.testing.assert_array_equal(coarse.tensor(small, name), expected)


@pytest.mark.parametrize("shape", [(1, 1, 3), (5, 3, 1), (64, 67, 3), (101, 64, 1)])
def test_any_size_at_a_low_rate(shape: tuple[int, int, int]) -> None:
    pixels = np.ascontiguousarray(data.astronaut()[: shape[0], : shape[1], : shape[2]])
    image = wyner.decode(wyner.encode(pixels, quality=12, effort=1))
    error = image.pixels.astype(float) - pixels.astype(float)
    assert np.mean(error**2) < np.var(pixels.astype(float)) / 2 + 400
