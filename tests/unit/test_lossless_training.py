"""Training of the lossless codec: its crops, an exact resume, and a network that learns."""

import dataclasses
import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from PIL import Image  # noqa: E402

from wyner import _native  # noqa: E402
from wyner.codecs.lossless.model import pack, unpack  # noqa: E402
from wyner.errors import UsageError  # noqa: E402
from wyner.nn.lossless import Lossless, Sizes  # noqa: E402
from wyner.nn.lossless_export import flat, sizes_of  # noqa: E402
from wyner.train import lossless  # noqa: E402
from wyner.train.loop import Draw  # noqa: E402
from wyner.train.lossless_data import (  # noqa: E402
    EXACT,
    HELD_OUT,
    LEVEL_ODDS,
    LEVEL_PARTS,
    LOSSY,
    Chroma,
    Crops,
    drawn_chroma,
    read_sources,
    to_ycocg,
    with_coarse_chroma,
)

SIZES = {"full": 8, "half": 8, "quarter": 64, "hidden": 8, "trunk_blocks": [0, 1, 0]}
CPU = torch.device("cpu")


def photo(seed, height=72, width=80):
    """A smooth picture with some noise, (H, W, 3) uint8."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (6, 7, 3)).astype(np.uint8))
    smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC)).astype(int)
    return (smooth + rng.integers(-2, 3, smooth.shape)).clip(0, 255).astype(np.uint8)


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for k in range(3):
        Image.fromarray(photo(k)).save(folder / f"{k}.png")
    return folder


def config(network="lossless", loop=None, **train):
    return lossless.LosslessConfig.of(
        {
            "model": {"network": network, "sizes": SIZES},
            "train": {"crop": 16, "measured": 1, **train},
            "loop": {"steps": 4, "batch": 4, "warmup": 2, "log_every": 1, **(loop or {})},
        }
    )


def log_of(folder):
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "seconds"} for line in lines]


def draw(step, rows=slice(0, 12), batch=12):
    return Draw(np.random.default_rng((5, step)), batch, rows)


def crops_of(pictures, **changes):
    return Crops(read_sources([pictures])[0], 16, CPU, coarse_chroma=0.5, **changes)


# --- crops --------------------------------------------------------------------------------------


def test_colours_are_inverted_exactly():
    values = torch.tensor([0, 1, 2, 85, 127, 128, 254, 255], dtype=torch.int32)
    rgb = torch.cartesian_prod(values, values, values).T.reshape(1, 3, 16, 32)
    y, co, cg = to_ycocg(rgb).unbind(1)
    assert 0 <= y.min() and y.max() <= 255 and max(co.abs().max(), cg.abs().max()) == 255
    t = y - (cg >> 1)
    blue = t - (co >> 1)
    assert torch.equal(torch.stack([blue + co, cg + t, blue], 1), rgb)


WAYS = [
    Chroma("cosited"),
    Chroma("cosited", mean=False, top=1),
    Chroma("bilinear", left=1),
    Chroma("bicubic", top=1, left=1),
    Chroma("nearest"),
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("shape", [(16, 16), (15, 18)])
def test_coarse_chroma_keeps_grey_and_light_and_loses_detail_of_colour(way, shape):
    rng = np.random.default_rng(3)
    grey = torch.from_numpy(rng.integers(0, 256, (2, 1, *shape)).astype(np.int32)).expand(-1, 3, -1, -1)
    assert torch.equal(with_coarse_chroma(grey, way), grey)
    # Colours around a middle grey, so that none is clipped.
    rgb = torch.from_numpy(rng.integers(100, 156, (2, 3, *shape)).astype(np.int32))
    found = with_coarse_chroma(rgb, way)
    assert found.shape == rgb.shape and found.dtype == torch.int32
    light = torch.tensor([0.299, 0.587, 0.114])[:, None, None]
    assert ((found - rgb) * light).sum(1).abs().max() <= 1

    def detail(x):
        co = (x[:, 0] - x[:, 2]).float()
        return float((co[..., 1:] - co[..., :-1]).square().mean())

    assert detail(found) < 0.75 * detail(rgb)


def test_every_way_of_chroma_is_drawn():
    rng = np.random.default_rng(1)
    ways = {drawn_chroma(rng) for _ in range(400)}
    assert {(way.mode, way.mean) for way in ways} == {(way.mode, way.mean) for way in WAYS}
    assert {(way.top, way.left) for way in ways} == {(0, 0), (0, 1), (1, 0), (1, 1)}


def test_crops_follow_from_seed_and_step_and_are_shared_by_rows(pictures):
    crops, again = crops_of(pictures), crops_of(pictures)
    again.batch(draw(9))  # leaves nothing behind
    a, b, other = crops.batch(draw(1)), again.batch(draw(1)), crops.batch(draw(2))
    assert a.pixels.shape == (12, 3, 16, 16) and a.pixels.dtype == torch.float32
    for name in ("pixels", "level", "weight"):
        assert torch.equal(getattr(a, name), getattr(b, name))
        parts = [getattr(crops.batch(draw(1, rows)), name) for rows in (slice(0, 6), slice(6, 12))]
        assert torch.equal(torch.cat(parts), getattr(a, name))
    assert not torch.equal(a.pixels, other.pixels)


def test_levels_are_drawn_at_their_odds_and_weigh_what_they_hold(pictures):
    crops = crops_of(pictures)
    batches = [crops.batch(draw(step)) for step in range(60)]
    levels = torch.cat([batch.level for batch in batches])
    weights = torch.cat([batch.weight for batch in batches])
    for level, (odds, part) in enumerate(zip(LEVEL_ODDS, LEVEL_PARTS, strict=True)):
        assert float((levels == level).float().mean()) == pytest.approx(odds, abs=0.02)
        assert float(weights[levels == level][0]) == pytest.approx(part / odds)
    assert float(weights.mean()) == pytest.approx(1, abs=0.03)


def test_coarser_levels_leave_pixels_out():
    ramp = torch.arange(61, dtype=torch.uint8).expand(3, 61, 61)
    crops = Crops({(False, EXACT[0]): [ramp]}, 16, CPU)
    batch = crops.batch(draw(1))
    for pixels, level in zip(batch.pixels, batch.level, strict=True):
        y = pixels[0]
        steps = {abs(int(y[0, 1] - y[0, 0])), abs(int(y[1, 0] - y[0, 0]))}  # the ramp, perhaps turned
        assert steps == {0, 2 ** int(level)}
    assert set(batch.level.tolist()) == {0, 1, 2}


def test_lossy_pictures_are_made_smaller_and_every_sixteenth_is_held_out(tmp_path):
    for k in range(HELD_OUT + 2):
        Image.fromarray(photo(k, 20, 30)).save(tmp_path / f"{k:02}.{'jpg' if k % 2 else 'png'}")
    trained, held_out = read_sources([tmp_path])
    count = {key: len(found) for key, found in trained.items()}
    assert count == {**{(False, v): 7 for v in EXACT}, **{(True, v): 9 for v in LOSSY}}
    assert {key: len(found) for key, found in held_out.items()} == {(False, v): 2 for v in EXACT}
    assert held_out[False, EXACT[0]][1].shape == (3, 20, 30)  # the seventeenth
    assert np.array_equal(held_out[False, EXACT[0]][1].numpy().transpose(1, 2, 0), photo(16, 20, 30))
    assert trained[True, LOSSY[0]][0].shape == (3, 9, 14)
    # At its own size a lossy picture serves only where pixels are left out.
    alone = {(True, LOSSY[2]): trained[True, LOSSY[2]]}
    with pytest.raises(UsageError):
        Crops(alone, 8, CPU, odds=(1.0,))
    assert Crops({**alone, (True, LOSSY[1]): trained[True, LOSSY[1]]}, 8, CPU, odds=(0.5, 0.5))


# --- the training -------------------------------------------------------------------------------


def test_an_interrupted_training_ends_as_another(pictures, tmp_path):
    whole = lossless.train(config(), [pictures], tmp_path / "whole")

    class Killed(Exception):
        pass

    def kill(line):
        if line["step"] == 3:
            raise Killed

    with pytest.raises(Killed):
        lossless.train(config(loop={"keep_seconds": 0.0}), [pictures], tmp_path / "broken", report=kill)
    again = lossless.train(config(), [pictures], tmp_path / "broken")
    for a, b in zip(whole.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)
    log = log_of(tmp_path / "whole")
    assert log == log_of(tmp_path / "broken") and [line["step"] for line in log] == [1, 2, 3, 4]
    assert "held_out_bpsp" in log[-1] and "held_out_bpsp" not in log[0]


@pytest.mark.parametrize("network", ["lossless", "plain"])
def test_twenty_steps_on_one_picture_lower_the_loss(network, tmp_path):
    data = tmp_path / "pictures"
    data.mkdir()
    for name in "ab":  # the first is held out
        Image.fromarray(photo(1)).save(data / f"{name}.png")
    loop = {"steps": 20, "rate": 4e-3, "measure_every": 1}
    odds = {"coarse_chroma": 0.0}
    lossless.train(config(network, loop, **odds), [data], tmp_path / "run")
    log = log_of(tmp_path / "run")
    assert log[-1]["held_out_bpsp"] < log[0]["held_out_bpsp"] - 0.2
    line = log[7]
    assert line["loss"] == pytest.approx((line["y"] + line["co"] + line["cg"]) / 3)


def test_a_part_of_another_run_is_trained_on(pictures, tmp_path):
    first = lossless.train(config(), [pictures], tmp_path / "first")
    before = {name: tensor.clone() for name, tensor in first.state_dict().items()}
    second = lossless.train(
        config(only="trunks", loop={"steps": 2, "seed": 7}),
        [pictures],
        tmp_path / "second",
        start=tmp_path / "first" / "checkpoint.pt",
    )
    changed = {name for name, tensor in second.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed and all(name.startswith("trunks.") for name in changed)
    assert log_of(tmp_path / "second")[0]["step"] == 1


@pytest.mark.parametrize("changes", [{"only": "nothing"}, {"crop": 20}, {"crop": 64}])
def test_settings_that_do_not_fit_are_refused(pictures, tmp_path, changes):
    with pytest.raises(UsageError):
        lossless.train(config(**changes), [pictures], tmp_path / "run")


# --- the file -----------------------------------------------------------------------------------


def test_a_file_holds_the_networks_integers():
    torch.manual_seed(4)
    network = Lossless(Sizes(8, 8, 64, 8, (0, 1, 0)))
    sizes, weights, biases = unpack(pack(sizes_of(network), *flat(network)))
    wanted_weights, wanted_biases = flat(network)
    assert sizes == sizes_of(network) == (8, 8, 64, 8, 0, 1, 0)
    assert np.array_equal(weights, wanted_weights) and np.array_equal(biases, wanted_biases)
    first = torch.round(network.unet.stem.weight.detach() * 1024).flatten().int().numpy()
    assert np.array_equal(weights[: first.size], first) and first.std() > 10


def test_an_exported_network_codes_pictures(pictures, tmp_path):
    network = lossless.train(config(), [pictures], tmp_path / "run")
    data, text = lossless.export(tmp_path / "run", "three pictures")
    card = json.loads(text)
    assert card["bytes"] == len(data) and card["note"] == "three pictures" and card["steps"] == 4
    assert card["sizes"] == dataclasses.asdict(network.sizes) | {"trunk_blocks": [0, 1, 0]}
    assert card["last"]["held_out_bpsp"] > 0
    native = _native.LosslessModel(*unpack(data))
    samples = photo(8, 9, 12).astype(np.uint16)
    coded = native.encode(samples, 255, 1, None)
    assert np.array_equal(native.decode(coded, 12, 9, 3, 255, 1), samples)


def test_an_export_tells_of_the_checkpoint_and_not_of_later_steps(pictures, tmp_path):
    lossless.train(config(), [pictures], tmp_path / "run")
    with (tmp_path / "run" / "log.jsonl").open("a") as log:
        log.write('{"step": 9, "loss": 0.5}\n')
    assert json.loads(lossless.export(tmp_path / "run")[1])["last"]["step"] == 4
    (tmp_path / "run" / "log.jsonl").unlink()
    with pytest.raises(UsageError):
        lossless.export(tmp_path / "run")


def test_what_no_decoder_holds_is_not_exported(pictures, tmp_path):
    network = lossless.train(config(), [pictures], tmp_path / "run")
    checkpoint = tmp_path / "run" / "checkpoint.pt"
    state = torch.load(checkpoint, weights_only=True)
    with torch.no_grad():
        network.trunks["d"].stem.weight[0, 0] = 40.0
    torch.save({**state, "model": network.state_dict()}, checkpoint)
    with pytest.raises(UsageError):
        lossless.export(tmp_path / "run")
