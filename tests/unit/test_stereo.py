"""Stereo pairs for training: layouts, splits, the preparation of NDIC, crops and synthetic pairs."""

import os
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from PIL import Image  # noqa: E402

from wyner.errors import UsageError  # noqa: E402
from wyner.nn.distributed import GREY  # noqa: E402
from wyner.train.loop import Draw  # noqa: E402
from wyner.train.stereo import (  # noqa: E402
    PairCrops,
    Source,
    StereoPair,
    find_pairs,
    load,
    load_source,
    split,
    synthetic_pair,
)

DATA = Path(os.environ.get("WYNER_DATA", Path(__file__).parents[3] / "shared" / "data"))


def put(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 20), (len(name), 7, 9)).save(path)


LAYOUT_FILES = {
    "kitti2012": ["training/colored_{}/000003_10.png", "training/colored_{}/000003_11.png"],
    "kitti2015": ["training/image_{}/000003_10.png", "training/image_{}/000003_11.png"],
    "cityscapes": ["{}Img8bit/train/ulm/ulm_0_1_{}Img8bit.png", "{}Img8bit/train/ulm/ulm_0_2_{}Img8bit.png"],
    "flat": ["a_{}.png", "b_{}.png"],
}
EYES = {"kitti2012": "01", "kitti2015": "23"}


@pytest.mark.parametrize("layout", LAYOUT_FILES)
def test_layouts(layout, tmp_path):
    eyes = EYES.get(layout, ("left", "right"))
    for pattern in LAYOUT_FILES[layout]:
        put(tmp_path, *(pattern.format(eye, eye) for eye in eyes))
    put(tmp_path, LAYOUT_FILES[layout][0].format(eyes[0], eyes[0]).replace("0", "9").replace("a_", "z_"))
    part = "train" if layout == "cityscapes" else "training"
    found = find_pairs(layout, tmp_path, part)
    wanted = [[tmp_path / p.format(eye, eye) for eye in eyes] for p in LAYOUT_FILES[layout]]
    assert [[pair.x, pair.y] for pair in found] == wanted
    assert len({pair.scene for pair in found}) == (2 if layout == "flat" else 1)


def test_a_pair_list(tmp_path):
    put(tmp_path, "one.png", "two.png")
    (tmp_path / "pairs.csv").write_text("image,side\none.png,two.png\n")
    [pair] = find_pairs("list", tmp_path / "pairs.csv")
    assert (pair.x, pair.y) == (tmp_path / "one.png", tmp_path / "two.png")


def test_errors(tmp_path):
    with pytest.raises(UsageError, match="no layout"):
        find_pairs("kitti", tmp_path)
    with pytest.raises(UsageError, match="no pairs"):
        find_pairs("flat", tmp_path)


def test_no_scene_is_on_both_sides_of_a_split():
    pairs = [StereoPair(Path(f"{s}_{f}"), Path("y"), str(s)) for s in range(5) for f in range(2)]
    train, held_out = split(pairs, 2)
    assert len(train) == 6 and {pair.scene for pair in held_out} == {"3", "4"}
    assert not {pair.scene for pair in train} & {pair.scene for pair in held_out}
    assert split(pairs, 0) == (pairs, [])
    for count in (5, 7, 9):
        assert split(pairs, count) == ([], pairs)


def test_the_preparation_of_ndic_gives_the_prepared_pictures():
    prepared = DATA / "stereo" / "kitti2012_128x256" / "train"
    if not prepared.is_dir():
        pytest.skip(f"no pairs in {prepared}; set WYNER_DATA")
    name = "000005_10_left.webp"
    native = find_pairs("flat", DATA / "stereo" / "kitti2012")
    [made] = [load(pair, 128, (370, 740)) for pair in native if pair.x.name == name]
    [wanted] = [load(pair) for pair in find_pairs("flat", prepared) if pair.x.name == name]
    assert made.shape == (6, 128, 256) and torch.equal(made, wanted)


def test_versions_of_a_source(tmp_path):
    put(tmp_path / "pictures", "a_left.png", "a_right.png", "b_left.png", "b_right.png")
    source = Source("flat", "pictures", held_out=1, heights=(10, 20), repeat=2)
    pairs = load_source(source, tmp_path)
    assert [[tuple(v.shape) for v in versions] for versions in pairs] == 2 * [[(6, 10, 20), (6, 20, 40)]]


def noise_pairs(count=3):
    rng = np.random.default_rng(0)
    return [[torch.from_numpy(rng.integers(1, 256, (6, 20, 30)).astype(np.uint8))] for _ in range(count)]


def draw(batch=8, rows=slice(0, 8)):
    return Draw(np.random.default_rng(5), batch, rows)


def test_ranks_share_a_batch_of_crops():
    crops = PairCrops(noise_pairs(), (8, 16), "cpu", wrong=0.4, without=0.3)
    x, y = crops.batch(draw())
    parts = [crops.batch(draw(rows=slice(k, k + 4))) for k in (0, 4)]
    assert torch.equal(x, torch.cat([part[0] for part in parts]))
    assert torch.equal(y, torch.cat([part[1] for part in parts]))
    grey = (y == GREY).flatten(1).all(1)
    assert 0 < grey.sum() < 8


def test_crops_are_of_one_place_and_mirroring_keeps_the_order_of_the_eyes():
    """In a ramp whose y lies 3 columns to the left of x, all crops show that."""
    ramp = np.broadcast_to(5 * np.arange(30), (3, 20, 30))
    both = torch.from_numpy(np.concatenate([ramp, ramp + 15]).astype(np.uint8))
    x, y = PairCrops([[both]], (8, 16), "cpu").batch(draw())
    slopes = torch.sign(x[:, 0, 0, 1] - x[:, 0, 0, 0])
    assert set(slopes.tolist()) == {-1.0, 1.0}
    assert torch.allclose(x[..., 3:], y[..., :-3])


def test_a_wrong_y_is_that_of_another_sample():
    crops = PairCrops(noise_pairs(), (8, 16), "cpu")
    wrong = PairCrops(noise_pairs(), (8, 16), "cpu", wrong=1.0)
    assert torch.equal(wrong.batch(draw())[1], crops.batch(draw())[1].roll(-1, 0))
    assert torch.equal(wrong.batch(draw())[0], crops.batch(draw())[0])


def test_x_and_y_get_brighter_together():
    even = torch.full((6, 20, 30), 100, dtype=torch.uint8)
    x, y = PairCrops([[even]], (8, 16), "cpu", jitter=0.5).batch(draw())
    gains = x[:, :, 0, 0] * 255 / 100
    assert torch.equal(x, y) and torch.equal(x, x[:, :, :1, :1].expand_as(x))
    assert gains.min() >= 2**-0.625 and gains.max() <= 2**0.625 and gains.std() > 0.05
    bright = torch.full((6, 20, 30), 250, dtype=torch.uint8)
    assert PairCrops([[bright]], (8, 16), "cpu", jitter=2.0).batch(draw())[0].max() == 1


def test_a_pair_that_counts_often_is_kept_once():
    pairs = noise_pairs()
    once, often = PairCrops(pairs, (8, 16), "cpu"), PairCrops(5 * pairs, (8, 16), "cpu")
    assert torch.equal(once.samples, often.samples) and often.shapes == 5 * once.shapes


def test_pictures_smaller_than_a_crop_are_refused():
    with pytest.raises(UsageError, match="smaller than the crop"):
        PairCrops(noise_pairs(), (8, 31), "cpu")


def test_without_pairs_there_is_no_training():
    with pytest.raises(UsageError, match="no pairs"):
        PairCrops([], (8, 16), "cpu")


@pytest.mark.parametrize("changes", [{"held_out": -1}, {"centre": (9,)}, {"heights": (0,)}, {"repeat": 0}])
def test_sources_out_of_range_are_refused(changes):
    with pytest.raises(UsageError, match="pictures: "):
        Source("flat", "pictures", **changes)


def test_a_damaged_picture_is_named(tmp_path):
    put(tmp_path, "a_left.png", "a_right.png")
    path = tmp_path / "a_right.png"
    for damaged in (path.read_bytes()[:-30], b"no picture"):
        path.write_bytes(damaged)
        with pytest.raises(UsageError, match=r"a_right\.png"):
            load_source(Source("flat", "."), tmp_path)


def test_synthetic_pairs_have_the_correlation_asked_for():
    picture = np.random.default_rng(1).integers(0, 256, (64, 96, 3)).astype(np.uint8)
    rng = np.random.default_rng(2)
    exact = synthetic_pair(picture, rng, shift=5)
    assert exact.shape == (6, 64, 91) and np.array_equal(exact[:3, :, 5:], exact[3:, :, :-5])
    hidden = synthetic_pair(picture, rng, occlusion=0.25)
    assert 0.12 < np.mean((hidden[:3] != hidden[3:]).any(0)) < 0.3
    noisy = synthetic_pair(np.full((64, 96, 3), 128, np.uint8), rng, noise=4.0)
    assert np.std(noisy[3:].astype(float)) == pytest.approx(4, rel=0.1)
