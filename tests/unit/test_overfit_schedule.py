"""What a fit is expected to take, and what follows from it for its network and its course."""

import numpy as np
import pytest
from scipy.fft import dctn

from wyner.codecs.overfit.expected import expected_bits
from wyner.codecs.overfit.schedule import (
    EFFORTS,
    LONG_STEPS,
    MODELS,
    SMALLER_BITS,
    architecture_for,
    architecture_of,
    model_index,
    plan_for,
    thinning,
)
from wyner.codecs.overfit.stream import Picture


def noise(height, width, channels=3):
    return np.random.default_rng(0).random((channels, height, width)).astype(np.float32)


def test_bits_are_those_of_reverse_water_filling():
    image, lam = noise(32, 48, 1), 0.01
    blocks = image[0].reshape(2, 16, 3, 16).transpose(0, 2, 1, 3).astype(np.float64)
    c = dctn(blocks, axes=(2, 3), norm="ortho")
    dc = c[:, :, 0, 0].copy()
    c[:, 1:, 0, 0] -= dc[:, :-1]
    c[:, 0, 0, 0] -= dc[:, 0].mean()
    theta = lam / (2 * np.log(2))
    wanted = np.maximum(0.5 * np.log2(c**2 / theta), 0).sum()
    assert expected_bits(image, lam) == pytest.approx(wanted, rel=1e-4)


def test_bits_of_any_picture():
    assert expected_bits(np.full((3, 40, 50), 0.3, np.float32), 1e-4) == 0
    assert expected_bits(noise(1, 1), 1e-4) == 0
    assert expected_bits(noise(7, 200, 1), 1e-2) > 0
    rates = [expected_bits(noise(64, 64), lam) for lam in (1e-4, 1e-3, 1e-2, 1e-1, 10)]
    assert rates == sorted(rates, reverse=True) and rates[-1] == 0
    # Of large pictures a part is looked at.
    large, small = expected_bits(noise(1280, 1536), 1e-3), expected_bits(noise(128, 256), 1e-3)
    assert large == pytest.approx(60 * small, rel=0.03)


def test_few_bits_at_low_rates_take_a_smaller_network_and_more_steps():
    assert architecture_for(5, 0.005, lambda: SMALLER_BITS - 1) == "medium"
    assert (
        architecture_for(5, 0.005, lambda: SMALLER_BITS) == architecture_for(5, 0.003, lambda: 1) == "large"
    )
    assert architecture_for(2, 1e-3, lambda: 1e9) == "medium"
    assert plan_for(5, "medium", 1e-3).steps == 1.6 * plan_for(5, "large", 1e-3).steps
    assert plan_for(2, "medium", 1e-3).steps == EFFORTS[2].steps


def test_small_pictures_are_not_thinned():
    areas = (1, 131_071, 131_072, 196_608, 262_144, 393_216, 24_000_000)
    assert [thinning(area) for area in areas] == [1, 1, 2, 3, 4, 4, 4]


def test_a_start_at_half_the_size_takes_its_steps_from_the_rest():
    whole, split = plan_for(5, "medium", 0.0039), plan_for(5, "medium", 0.0041)
    assert whole.coarse_steps == 0 < split.coarse_steps
    assert split.steps + split.coarse_steps / 4 == pytest.approx(whole.steps, rel=0.01)


def test_long_fits_begin_less_hot_and_end_slower():
    short, long = plan_for(4, "large", 1e-3), plan_for(5, "large", 1e-3)
    assert short.steps < LONG_STEPS <= long.steps
    assert long.anneal(0)[0] < short.anneal(0)[0] and long.anneal(1) == short.anneal(1)
    assert long.cosine(0) == short.cosine(0) == 1 and long.cosine(1) < short.cosine(1)


def test_models_have_an_architecture():
    for name, indices in MODELS.items():
        assert {architecture_of(index) for index in indices} == {name}
        assert tuple(model_index(name, lam) for lam in (1e-4, 1e-3, 1e-2)) == indices


def test_a_large_or_rough_picture_keeps_the_large_network():
    ramp = np.broadcast_to(np.arange(256, dtype=np.uint8)[None, :, None], (256, 256, 3))
    rough = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    names = [architecture_of(Picture(pixels).means(5, 0.006)[1].index) for pixels in (ramp, rough)]
    assert names == ["medium", "large"]
