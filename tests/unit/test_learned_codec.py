"""Files of learned codecs: they decode, to the same latents everywhere, and cost what was estimated."""

import json
import os
import platform
import subprocess
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from edited_model import edited  # noqa: E402
from random_learned import PRIORS, random_codec, write_model  # noqa: E402

import wyner  # noqa: E402
from wyner import container, io  # noqa: E402
from wyner.cli import main  # noqa: E402
from wyner.codecs import learned  # noqa: E402
from wyner.codecs.learned import payload, transforms  # noqa: E402
from wyner.codecs.learned.model import Model  # noqa: E402
from wyner.codecs.learned.picture import Padded  # noqa: E402
from wyner.errors import CorruptError, UnavailableError, UsageError  # noqa: E402
from wyner.nn import safetensors  # noqa: E402
from wyner.nn.frozen import model_file  # noqa: E402
from wyner.nn.integer import IntegerLayer  # noqa: E402
from wyner.nn.rates import level_lambdas  # noqa: E402


@pytest.fixture(params=PRIORS)
def prior(request, tmp_path, monkeypatch):
    write_model(tmp_path, request.param)
    monkeypatch.setenv("WYNER_MODELS", str(tmp_path))
    return f"random-{request.param}"


@pytest.fixture
def hyperprior(tmp_path, monkeypatch):
    monkeypatch.setenv("WYNER_MODELS", str(tmp_path))
    return write_model(tmp_path, "mean-scale")


def picture(height, width, channels=3, dtype=np.uint8):
    rng = np.random.default_rng(7)
    coarse = rng.integers(0, 256, (-(-height // 8), -(-width // 8), channels))
    fine = np.kron(coarse, np.ones((8, 8, 1), np.int64))[:height, :width] + rng.integers(-9, 9, (1, width, 1))
    return (fine.clip(0, 255) * (1 if dtype == np.uint8 else 257)).astype(dtype)


def encode(image, prior, **settings):
    return wyner.encode(image, codec="learned", options={"model": prior}, threads=1, **settings)


@pytest.mark.parametrize("size", [(1, 1), (64, 64), (65, 130)])
def test_any_size_and_depth_comes_back(prior, size):
    for channels, dtype in ((3, np.uint8), (1, np.uint8), (3, np.uint16)):
        image = picture(*size, channels, dtype)
        decoded = wyner.decode(encode(image, prior)).pixels
        assert decoded.shape == image.shape and decoded.dtype == image.dtype


def test_the_file_is_what_the_model_says(prior):
    """Rate and picture are those of the network that was trained, to the rounding of its weights."""
    image, model = picture(128, 192), random_codec(prior.removeprefix("random-"))
    data = encode(image, prior, quality=100)
    lam = torch.tensor([level_lambdas(model.config.lambda_range)[-1]]).float()
    x = torch.from_numpy(image.transpose(2, 0, 1)[None] / np.float32(255))
    with torch.no_grad():
        out = model(x, lam, "round")
    payload = container.read(data).payload
    assert 8 * len(payload) == pytest.approx(float(out.bits[0]), rel=0.01, abs=200)
    wanted = out.x_hat[0].numpy().transpose(1, 2, 0).clip(0, 1) * 255
    assert np.abs(wyner.decode(data).pixels - wanted).mean() < 1.5


def test_alpha_and_metadata_stay(hyperprior):
    pixels = picture(40, 50)
    image = wyner.Image(pixels, pixels[:, :, 0].copy(), icc=b"a profile", exif=b"II*\x00", xmp=b"<x/>")
    file = encode(image, "random-mean-scale", quality=50)
    back = wyner.decode(file)
    assert (back.icc, back.exif, back.xmp) == (image.icc, image.exif, image.xmp)
    np.testing.assert_array_equal(back.alpha, image.alpha)


def test_quality_and_targets(hyperprior):
    image = picture(128, 128)
    sizes = [len(encode(image, "random-mean-scale", quality=q)) for q in (0, 50, 100)]
    assert sizes[0] < sizes[1] < sizes[2]
    target = (sizes[0] + sizes[2]) // 2
    assert 0.9 * target < len(encode(image, "random-mean-scale", target_size=target)) <= target
    bpp = 8 * target / image[..., 0].size
    assert len(encode(image, "random-mean-scale", target_bpp=bpp)) <= target


def test_a_target_psnr_is_met_at_the_lowest_rate_that_does(photo):
    reached = []
    for target in (30, 33):
        data = encode(photo, "factorised", target_psnr=target)
        reached.append((len(data), wyner.compare(photo, data).psnr_db))
        assert target <= reached[-1][1] < target + 1
    assert reached[0][0] < reached[1][0]


_PATHS = [{"OPENBLAS_NUM_THREADS": "1"}, {"OPENBLAS_NUM_THREADS": "2"}]
if platform.machine().lower() in ("x86_64", "amd64"):
    _PATHS += [{"WYNER_ISA": "v2", "OPENBLAS_CORETYPE": core} for core in ("Prescott", "Haswell")]
_LATENTS = """
import hashlib, sys
from wyner import container
from wyner.codecs import learned
parts = container.read(open(sys.argv[1], "rb").read())
latents = learned.decode_latents(parts.payload, parts.header.width, parts.header.height)
print(hashlib.sha256(latents.tobytes()).hexdigest())
"""


def test_latents_are_the_same_on_every_path(hyperprior, tmp_path):
    path = tmp_path / "picture.wyn"
    path.write_bytes(encode(picture(128, 192), "random-mean-scale", quality=80))
    found = set()
    for changed in _PATHS:
        environment = {**os.environ, "WYNER_MODELS": str(tmp_path), **changed}
        command = [sys.executable, "-c", _LATENTS, path]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        found.add(done.stdout)
    assert len(found) == 1


def test_latents_decode_without_torch(hyperprior, tmp_path):
    path = tmp_path / "picture.wyn"
    path.write_bytes(encode(picture(64, 64), "random-mean-scale"))
    code = (
        "import sys; from wyner import container; from wyner.codecs import learned;"
        "parts = container.read(open(sys.argv[1], 'rb').read());"
        "learned.decode_latents(parts.payload, 64, 64); assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_without_torch_or_the_model_the_error_says_what_to_do(hyperprior, tmp_path, monkeypatch):
    data = encode(picture(64, 64), "random-mean-scale")
    code = (
        "import sys; sys.modules['torch'] = None; import wyner;wyner.decode(open(sys.argv[1], 'rb').read())"
    )
    path = tmp_path / "picture.wyn"
    path.write_bytes(data)
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True)
    assert "UnavailableError" in done.stderr and "pip install" in done.stderr
    monkeypatch.delenv("WYNER_MODELS")
    with pytest.raises(UnavailableError, match="WYNER_MODELS"):
        wyner.decode(data)
    with pytest.raises(UsageError, match="no model is called"):
        encode(picture(8, 8), "random-mean-scale")


def test_tiles_give_the_picture_of_the_whole(prior, monkeypatch):
    image = picture(192, 320)
    model = learned.STORE.by_name(prior)
    padded = Padded(image, model.card.multiple)
    whole = model.transforms.analyse(padded.part, padded.height, padded.width)
    data = encode(image, prior, quality=90)
    decoded = wyner.decode(data).pixels.astype(int)
    monkeypatch.setattr(transforms, "TILE", 64)
    monkeypatch.setattr(payload, "PRIOR_TILE", 128)
    tiled = model.transforms.analyse(padded.part, padded.height, padded.width)
    np.testing.assert_allclose(tiled, whole, atol=1e-4)
    again = wyner.decode(encode(image, prior, quality=90)).pixels.astype(int)
    # Tiles of the prior see other means at their edges, which moves the grid of some latents.
    assert np.abs(again - decoded).mean() < (0.01 if prior != "random-mean-scale" else 8)


def test_damaged_payloads_are_errors(prior):
    image = picture(64, 64)
    payload = container.read(encode(image, prior)).payload
    for bad in (payload[:5], payload[:8], payload[:-20], payload + b"x"):
        with pytest.raises(CorruptError):
            learned.decode(bad, 64, 64, 3, 255)
    rng = np.random.default_rng(8)
    for _ in range(30):
        bad = bytearray(payload)
        bad[int(rng.integers(8, len(bad)))] ^= 1 << int(rng.integers(8))
        try:
            learned.decode(bytes(bad), 64, 64, 3, 255)
        except CorruptError:
            pass


def test_no_hash_is_stored(hyperprior):
    with pytest.raises(UsageError, match="hash"):
        encode(picture(8, 8), "random-mean-scale", store_hash=True)


def test_the_cost_is_counted(prior):
    """Against multiplications counted layer by layer, in g_s, with its normalisation."""
    payload = container.read(encode(picture(64, 64), prior)).payload
    at_least = 25 * (10 * 8 / 256 + 8 * 8 / 64 + 8 * 6 / 16 + 6 * 3 / 4) + 8 * 8 / 64 + 8 * 8 / 16 + 6 * 6 / 4
    cost = learned.macs_per_pixel(payload)
    assert (
        cost == pytest.approx(at_least)
        if prior in ("random-factorised", "random-gaussian")
        else cost > at_least
    )


@pytest.mark.parametrize("prior", PRIORS)
def test_an_export_leaves_the_model_as_it_is(prior):
    model, x, lam = random_codec(prior), torch.rand(1, 3, 64, 64), torch.tensor([0.01])
    with torch.no_grad():
        before = model(x, lam, "round")
        data = model_file(model, {})
        after = model(x, lam, "round")
    assert torch.equal(before.x_hat, after.x_hat) and torch.equal(before.bits, after.bits)
    assert model_file(model, {}) == data


def test_weights_that_a_file_cannot_hold_are_not_exported():
    for name, value in (("g_a.0.weight", 1e5), ("g_a.0.weight", float("nan")), ("prior.h_s.0.weight", 40.0)):
        model = random_codec("mean-scale")
        with torch.no_grad():
            model.get_parameter(name)[0] = value
        with pytest.raises(UsageError):
            model_file(model, {})


def tensors_of(prior):
    return safetensors.read(model_file(random_codec(prior), {}))[0]


@pytest.mark.parametrize("prior", PRIORS)
def test_tensors_of_other_types_and_shapes_are_refused(prior):
    """Whatever symbols are read by is in integers, as many as the card says."""
    data = model_file(random_codec(prior), {})
    read_by = [n for n in tensors_of(prior) if not n.startswith(("g_", "prior."))]
    assert len(read_by) >= 4
    for name in read_by:
        tensor = tensors_of(prior)[name]
        others = [None, tensor.astype(np.float32), tensor.reshape(1, *tensor.shape)]
        others += [tensor[:-1], tensor[:0]] if tensor.ndim else []
        for other in others:
            with pytest.raises(CorruptError):
                Model(edited(data, {name: other}))


def changed(tensor, value):
    """With another number in its middle."""
    tensor = tensor.copy()
    tensor.reshape(-1)[tensor.size // 2] = value
    return tensor


@pytest.mark.parametrize(
    ("prior", "name", "value"),
    [
        ("factorised", "y.curve", -1),
        ("factorised", "y.step", 0),
        ("factorised", "y.zero", -(2**63)),
        ("gaussian", "gain", np.nan),
        ("gaussian", "inverse", np.inf),
        ("mean-scale", "z.cdfs", 70000),
        ("mean-scale", "z.low", 2**31 - 1),
        ("mean-scale", "h_s.0.bias", -(2**63)),
        ("mean-scale", "h_s.2.shift", 41),
    ],
)
def test_numbers_out_of_range_are_refused(prior, name, value):
    with pytest.raises(CorruptError):
        Model(edited(model_file(random_codec(prior), {}), {name: changed(tensors_of(prior)[name], value)}))


@pytest.mark.parametrize(
    "card",
    [
        {"latents": float("inf")},
        {"latents": 0},
        {"latents": 11},
        {"hyper": 5},
        {"widths": []},
        {"widths": [6, 8, 8, 8]},
        {"widths": [6, 8, 10**9]},
        {"widths": 8 * [8]},
        {"widths": 12 * [8]},
        {"prior": "best"},
        {"prior": None},
        {"about": 3},
    ],
)
def test_damaged_cards_are_refused(card):
    with pytest.raises(CorruptError):
        Model(edited(model_file(random_codec("mean-scale"), {}), card=card))


def test_a_card_nested_too_deeply_is_refused():
    with pytest.raises(CorruptError):
        Model(safetensors.write(tensors_of("gaussian"), {"card": 10**5 * "["}))


def test_a_layer_of_integers_has_nothing_else():
    weight, bias = np.ones((2, 3, 3, 3), np.int16), np.zeros(2, np.int64)
    IntegerLayer(weight, bias, 0, False, False)
    for given in ((weight + np.float32(0.3), bias), (weight, bias + np.nan), (weight, bias.astype(np.int32))):
        with pytest.raises(CorruptError):
            IntegerLayer(*given, 0, False, False)


def test_resume_makes_files_of_a_replaced_model_anew(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WYNER_MODELS", str(tmp_path))
    io.write("a.png", wyner.Image.from_array(picture(64, 64)))
    command = ["encode", "a.png", "-o", "out/", "--codec", "learned", "-x", "model=random-gaussian"]
    found = []
    for seed in (1, 1, 2, 2):
        path = write_model(tmp_path, "gaussian", seed)
        os.utime(path, (seed, seed))  # clocks of file systems may be coarse
        assert main([*command, "--resume", "--json"]) == 0
        found.append(json.loads(capsys.readouterr().out).get("skipped", False))
    assert found == [False, True, False, True]
