"""Files of distributed codecs: made without y, decoded with the right one, another or none."""

import json
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from edited_model import edited  # noqa: E402
from random_distributed import random_side_model, write_side_model  # noqa: E402

import wyner  # noqa: E402
from wyner import container, io  # noqa: E402
from wyner.cli import main  # noqa: E402
from wyner.codecs import distributed  # noqa: E402
from wyner.codecs.distributed import networks  # noqa: E402
from wyner.codecs.distributed.model import SideModel  # noqa: E402
from wyner.errors import (  # noqa: E402
    CorruptError,
    SideImageError,
    SideWarning,
    UnsupportedError,
    UsageError,
)
from wyner.nn.rates import level_lambdas  # noqa: E402
from wyner.nn.side_models import MODELS, side_model_file  # noqa: E402

CASES = [*((kind, "factorised") for kind in MODELS), ("ndic", "hyperprior")]


@pytest.fixture(params=CASES, ids=lambda case: "-".join(case))
def case(request, tmp_path, monkeypatch):
    write_side_model(tmp_path, *request.param)
    monkeypatch.setenv("WYNER_MODELS", str(tmp_path))
    return request.param


@pytest.fixture
def ndic(tmp_path, monkeypatch):
    monkeypatch.setenv("WYNER_MODELS", str(tmp_path))
    return write_side_model(tmp_path, "ndic")


def pair(height=64, width=128, channels=3, dtype=np.uint8):
    coarse = np.random.default_rng(3).integers(0, 256, (-(-height // 8), -(-width // 8) + 1, channels))
    wide = np.kron(coarse, np.ones((8, 8, 1), np.int64))[:height] * (1 if dtype == np.uint8 else 257)
    return [wide[:, shift : shift + width].astype(dtype) for shift in (0, 5)]


def encode(x, kind="ndic", **settings):
    return wyner.encode(x, codec="ndic", options={"model": f"random-{kind}"}, threads=1, **settings)


def decode(data, **settings):
    return wyner.decode(data, threads=1, **settings).pixels


@pytest.mark.filterwarnings("ignore::wyner.errors.SideWarning")
def test_the_file_is_what_the_network_says(case):
    """Rate and picture are those of the network that was trained, to the rounding of its weights."""
    kind, prior = case
    (x, y), (config, model) = pair(128, 192), random_side_model(kind, prior)
    data, named = encode(x, kind, quality=100), encode(x, kind, quality=100, side=y)
    lam = torch.tensor([level_lambdas(config.lambda_range)[-1]]).float()
    given = [torch.from_numpy(p.transpose(2, 0, 1)[None] / np.float32(255)) for p in (x, y)]
    with torch.no_grad():
        out = model(*given, lam, "round")
    payload = container.read(data).payload
    assert 8 * len(payload) == pytest.approx(float(out.bits_x[0]), rel=0.01, abs=200)
    wanted = out.x_hat[0].numpy().transpose(1, 2, 0).clip(0, 1) * 255
    right, none = decode(named, side=y), decode(data)
    assert np.abs(right - wanted).mean() < 2
    assert np.abs(right.astype(int) - none).mean() > 1  # y has its part in the picture


@pytest.mark.parametrize("size", [(1, 1), (65, 130)])
def test_any_size_and_depth_comes_back(ndic, size):
    for channels, dtype in ((3, np.uint8), (1, np.uint8), (3, np.uint16)):
        x, y = pair(*size, channels, dtype)
        decoded = decode(encode(x, side=y), side=y)
        assert decoded.shape == x.shape and decoded.dtype == x.dtype


def test_the_encoder_never_reads_y(ndic):
    """With a side image only the chunk of its hash is added."""
    x, y = pair()
    alone, named = (container.read(encode(x, **side)) for side in ({}, {"side": y}))
    assert alone.payload == named.payload and alone.side_hash is None and named.side_hash is not None


def test_warnings_tell_of_no_y_and_of_another(ndic):
    x, y = pair()
    named = encode(x, side=y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        decode(named, side=y)
    with pytest.warns(SideWarning, match="not quite the one"):
        decode(named, side=y + 1)
    with pytest.warns(SideWarning, match="without a side image"):
        none = decode(named)
    # Random weights make of x what y has nothing in common with.
    with pytest.warns(SideWarning, match="shows something else"):
        assert np.array_equal(decode(encode(x), side=y), none)


def test_what_is_looked_at_is_the_picture_without_y(ndic, monkeypatch):
    """And the answer decides, for a y that the file does not name."""
    x, y = pair(128, 192)
    seen = []

    def look(middle, given, left):
        seen.append((middle, given, left))
        return answer

    monkeypatch.setattr(distributed, "shows_the_same", look)
    data, named = encode(x), encode(x, side=y)
    with pytest.warns(SideWarning, match="without a side image"):
        none = decode(data)
    answer = True
    assert np.array_equal(decode(data, side=y), decode(named, side=y)) and len(seen) == 1
    [(middle, given, left)] = seen
    assert np.abs(middle.transpose(1, 2, 0).clip(0, 1) * 255 - none).max() <= 0.5
    assert left == 0 and np.allclose(given.transpose(1, 2, 0) * 255, y)
    answer = False
    with pytest.warns(SideWarning, match="shows something else"):
        assert np.array_equal(decode(data, side=y), none)


def test_a_model_that_was_trained_without_y_is_given_none(tmp_path, monkeypatch):
    write_side_model(tmp_path, "ndic", without=1.0)
    monkeypatch.setenv("WYNER_MODELS", str(tmp_path))
    x, y = pair()
    data = encode(x, side=y)
    with pytest.warns(SideWarning, match="without a side image"):
        none = decode(data)
    with pytest.warns(SideWarning, match="knows no side images"):
        assert np.array_equal(decode(data, side=y), none)


def test_each_file_has_its_warning_and_tells_whether_y_was_used(ndic, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    x, y = pair()
    io.write("y.png", wyner.Image.from_array(y))
    for name, side in (("a", {}), ("b", {}), ("named", {"side": y})):
        io.write_atomic(f"{name}.wyn", encode(x, **side))
    assert main(["decode", "a.wyn", "b.wyn", "named.wyn", "--side", "y.png", "-o", "out", "--json"]) == 0
    told = capsys.readouterr()
    used = {line["input"]: line["side_used"] for line in map(json.loads, told.out.splitlines())}
    assert used == {"a.wyn": False, "b.wyn": False, "named.wyn": True}
    for name in ("a.wyn", "b.wyn"):
        assert f"wyner: {name}: the side image shows something else" in told.err
    assert "named.wyn" not in told.err
    assert main(["info", "named.wyn"]) == 0
    assert "that it is better with" in capsys.readouterr().out


def test_a_named_picture_has_the_size_of_the_coded_one(ndic):
    x, y = pair()
    with pytest.raises(UsageError, match="size"):
        encode(x, side=y[:, :-1])


def test_errors(ndic):
    x, y = pair()
    data = encode(x)
    with pytest.raises(SideImageError, match="the side image is 128x63"):
        decode(data, side=y[:-1])
    with pytest.raises(UsageError, match="PSNR depends"):
        encode(x, target_psnr=30.0)
    with pytest.raises(UsageError, match="no hash"):
        encode(x, store_hash=True)
    with pytest.raises(UsageError, match="refined"):
        wyner.decode(data, refine=y, side=y)
    payload = container.read(data).payload
    for bad in (payload[:5], payload[:-20], payload + b"x"):
        with pytest.raises(CorruptError):
            distributed.decode(bad, 128, 64, 3, 255)


def test_a_model_of_another_codec_is_refused(ndic, tmp_path):
    from random_learned import write_model

    with pytest.raises(CorruptError, match="not the file of a distributed codec"):
        wyner.encode(pair()[0], codec="ndic", options={"model": str(write_model(tmp_path, "gaussian"))})


def dsin_file(prior="factorised"):
    """DSIN, in numbers of half precision, whose gains are not those that training begins with; its file."""
    config, model = random_side_model("dsin", prior)
    with torch.no_grad():
        for table in model.latents.gains.parameters():
            table += 0.2 * torch.randn_like(table)
    model = model.half().float()
    return model, side_model_file(model, config, {})


@pytest.mark.parametrize("prior", ["factorised", "hyperprior"])
def test_dsin_decodes_with_the_gains_that_were_trained(prior):
    model, data = dsin_file(prior)
    found = SideModel(data).transforms.network
    y = torch.from_numpy(pair()[1].transpose(2, 0, 1)[None] / np.float32(255))
    latent, lam = torch.round(4 * torch.randn(1, 10, 4, 8)), torch.tensor([0.007])
    with torch.no_grad():
        wanted, decoded = (net.reconstruct(latent, y, lam) for net in (model, found))
    assert torch.equal(decoded, wanted)


def test_files_of_dsin_without_its_gains_or_with_means_are_refused():
    _, data = dsin_file()
    old = edited(data, {f"latents.gains.{name}": None for name in ("log2_gain", "log2_inverse")})
    config, model = random_side_model("ndic", "mean-scale")
    means = edited(side_model_file(model, config, {}), card={"kind": "dsin"})
    for bad, message in ((old, "lacks its gains"), (means, "without means")):
        with pytest.raises(UnsupportedError, match=message):
            _ = SideModel(bad).transforms


@pytest.mark.parametrize(
    ("kind", "tensors"),
    [
        ("ndic", {"f.0.weight": None}),
        ("ndic", {"fusion.first.weight": np.zeros(3, np.float16)}),
        ("ndic", {"f.0.bias": np.zeros(9, np.float16)}),
        ("dsin", {"latents.gains.log2_gain": np.zeros((), np.float16)}),
        ("dsin", {"latents.gains.log2_gain": np.zeros((3, 9), np.float16)}),
    ],
)
def test_weights_that_are_not_those_of_the_model_are_refused(kind, tensors):
    config, model = random_side_model(kind)
    bad = SideModel(edited(side_model_file(model, config, {}), tensors))
    with pytest.raises(CorruptError):
        _ = bad.transforms


@pytest.mark.parametrize(
    "card",
    [
        {"widths": []},
        {"widths": [8, 8, 9]},
        {"hyper": 4},
        {"lambda_range": [0, 1]},
        {"lambda_range": [0.1, 0.01]},
        {"lambda_range": [0.1, float("inf")]},
        {"lambda_range": 3},
        {"lambda_range": [10**400, 10**400]},
        {"macs": float("nan")},
        {"kind": None},
    ],
)
def test_damaged_cards_are_refused(card):
    config, model = random_side_model("ndic")
    with pytest.raises(CorruptError):
        SideModel(edited(side_model_file(model, config, {}), card=card))


@pytest.mark.parametrize("prior", ["factorised", "hyperprior"])
def test_an_export_leaves_the_model_as_it_is(prior):
    config, model = random_side_model("ndic", prior)
    given = [torch.rand(1, 3, 64, 64), torch.rand(1, 3, 64, 64), torch.tensor([0.01]), "round"]
    with torch.no_grad():
        before = model(*given)
        side_model_file(model, config, {})
        after = model(*given)
    assert torch.equal(before.x_hat, after.x_hat) and torch.equal(before.bits_x, after.bits_x)


@pytest.mark.filterwarnings("ignore::wyner.errors.SideWarning")
def test_alpha_and_metadata_stay(ndic):
    pixels = pair(40, 50)[0]
    image = wyner.Image(pixels, pixels[:, :, 0].copy(), icc=b"a profile", exif=b"II*\x00", xmp=b"<x/>")
    back = wyner.decode(encode(image, quality=50))
    assert (back.icc, back.exif, back.xmp) == (image.icc, image.exif, image.xmp)
    np.testing.assert_array_equal(back.alpha, image.alpha)


def test_quality_and_targets(ndic):
    x, _ = pair(128, 128)
    sizes = [len(encode(x, quality=q)) for q in (0, 50, 100)]
    assert sizes[0] < sizes[1] < sizes[2]
    target = (sizes[0] + sizes[2]) // 2
    assert 0.9 * target < len(encode(x, target_size=target)) <= target


def test_tiles_give_the_picture_of_the_whole(case, monkeypatch):
    kind, _ = case
    if kind != "ndic":
        pytest.skip("matching looks at more than the surroundings of a tile")
    x, y = pair(192, 256)
    data = encode(x, kind, side=y)
    whole = decode(data, side=y)
    monkeypatch.setattr(networks, "TILE", 64)
    assert np.abs(decode(data, side=y).astype(int) - whole).max() <= 1


def test_the_command_line(ndic, tmp_path, capsys):
    for name, picture in zip(("left", "right"), pair(), strict=True):
        io.write(tmp_path / f"{name}.png", wyner.Image.from_array(picture))
    left, right, coded = (str(tmp_path / name) for name in ("left.png", "right.png", "left.wyn"))
    assert main(["encode", left, "--codec", "ndic", "-x", "model=random-ndic", "-o", coded]) == 0
    assert main(["decode", coded, "--side", right, "-o", str(tmp_path / "out.png")]) == 0
    assert "was not needed" not in capsys.readouterr().err
    assert io.read(tmp_path / "out.png").pixels.shape == (64, 128, 3)
    assert main(["decode", coded, "-f", "-o", str(tmp_path / "out.png")]) == 0
    assert "without a side image" in capsys.readouterr().err
