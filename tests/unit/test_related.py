"""Whether two pictures are of one scene, told from a poor version of the first."""

import numpy as np
import pytest
from scipy import ndimage

from wyner.codecs.distributed.related import row_margin, shows_the_same


def scene(seed, height=128, width=320):
    """Something of all scales, darker at its foot, as outdoor scenes are: (3, height, width) in 0..1."""
    rng = np.random.default_rng(seed)
    layers = [ndimage.gaussian_filter(rng.standard_normal((3, height, width)), (0, s, s)) for s in (2, 5, 12)]
    texture = sum(layer / layer.std() for layer in layers)
    return (0.5 + 0.06 * texture + 0.2 * np.linspace(1, -1, height)[:, None]).astype(np.float32)


def views(seed, shift=9):
    """x as a codec leaves it, and y of the same rows: two thirds displaced by ``shift``, one by a
    third of that."""
    whole = scene(seed)
    x, y = whole[:, :, 32:288], whole[:, :, 32 + shift : 288 + shift].copy()
    y[:, :40] = whole[:, :40, 32 + shift // 3 : 288 + shift // 3]
    return ndimage.gaussian_filter(x, (0, 2, 2)), y


@pytest.mark.parametrize("seed", range(4))
def test_the_other_eye_and_another_scene(seed):
    x, y = views(seed)
    _, other = views(seed + 10)
    assert shows_the_same(x, y, 0) and not shows_the_same(x, other, 0)
    assert row_margin(x, y, 0) > 0.2 > 0.05 > row_margin(x, other, 0)


def test_a_part_of_x_is_enough():
    x, y = views(3)
    for left in (0, 37, 96):
        part = x[:, :, left : left + 160]
        assert row_margin(part, y, left) > 0.2, left


def test_small_pictures_are_given_the_benefit_of_the_doubt():
    x, y = views(1)
    assert row_margin(x[:, :40, :60], y[:, :40, :60], 0) is None
    assert shows_the_same(x[:, :1, :1], y[:, :1, :1], 0)


def test_where_rows_are_alike_there_is_no_telling():
    _, y = views(1)
    for flat in (np.full_like(y, 0.5), np.broadcast_to(scene(2)[:, :1, :256], y.shape)):
        assert abs(row_margin(flat, y, 0)) < 0.05 and shows_the_same(flat, y, 0)


def test_displacements_go_with_the_width_of_y():
    whole = scene(5, 128, 900)
    x, y = ndimage.gaussian_filter(whole[:, :, 300:500], (0, 2, 2)), whole[:, :, 90:]
    assert row_margin(x, y, 300) > 0.2  # 90 columns away, where a sixth of x has 33
