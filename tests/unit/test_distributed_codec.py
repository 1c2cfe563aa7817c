"""Files of distributed codecs: made without y, decoded with the right one, another or none."""

import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from random_distributed import random_side_model, write_side_model  # noqa: E402

import wyner  # noqa: E402
from wyner import container, io  # noqa: E402
from wyner.cli import main  # noqa: E402
from wyner.codecs import distributed  # noqa: E402
from wyner.codecs.distributed import networks  # noqa: E402
from wyner.errors import CorruptError, SideImageError, SideWarning, UsageError  # noqa: E402
from wyner.nn.rates import level_lambdas  # noqa: E402
from wyner.nn.side_models import MODELS  # noqa: E402

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
