"""LPIPS against the `lpips` package around a trunk written here with modules, and its weights."""

from __future__ import annotations

import os
import pickle
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wyner import metrics
from wyner.errors import CorruptError, UnavailableError, UsageError, WynerError
from wyner.metrics import lpips_weights
from wyner.metrics.lpips import Lpips
from wyner.metrics.lpips_weights import fetch_weights, find_weights, load_weights, tensor_shapes

torch = pytest.importorskip("torch", reason="LPIPS needs PyTorch: pip install 'wyner[torch]'")
REPOSITORY = Path(__file__).parents[2]
NAME = "lpips_squeeze_state.pt"


@pytest.fixture
def weights_file() -> Path:
    data = Path(os.environ.get("WYNER_DATA", REPOSITORY.parent / "shared" / "data"))
    path = Path(os.environ.get("WYNER_LPIPS", data / "weights" / NAME))
    if not path.is_file():
        pytest.skip(f"no LPIPS weights in {path}; set WYNER_LPIPS")
    return path


@pytest.fixture
def random_weights() -> dict[str, Any]:
    """Tensors of the right shapes with which every layer counts."""
    generator = torch.Generator().manual_seed(5)
    tensors = {}
    for name, shape in tensor_shapes().items():
        values = torch.randn(shape, generator=generator)
        if name.startswith("net.") and name.endswith("weight"):
            values *= (2 / np.prod(shape[1:])) ** 0.5
        tensors[name] = values.abs() * 0.5 + 0.1 if not name.startswith("net.") else values
    return tensors


def pair(height: int, width: int, planes: int = 3, maxval: int = 255) -> tuple[Any, Any]:
    rng = np.random.default_rng(height * width)
    dtype = np.uint8 if maxval == 255 else np.uint16
    a = rng.integers(0, maxval + 1, (height, width, planes), dtype)
    mask = rng.random(a.shape) < 0.2
    return a, np.where(mask, maxval - a, a).astype(dtype)


class Fire(torch.nn.Module):
    def __init__(self, inner: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = torch.nn.Conv2d(inner, squeezed, 1)
        self.expand1x1 = torch.nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = torch.nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, x: Any) -> Any:
        x = self.squeeze(x).clamp(min=0)
        return torch.hstack([self.expand1x1(x), self.expand3x3(x)]).clamp(min=0)


def squeezenet(pretrained: bool = False) -> Any:
    """SqueezeNet 1.1 up to its classifier, in place of the one of torchvision, which is a large package."""

    def pool() -> Any:
        return torch.nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True)

    features = torch.nn.Sequential(
        torch.nn.Conv2d(3, 64, kernel_size=3, stride=2), torch.nn.ReLU(),
        pool(), Fire(64, 16, 64), Fire(128, 16, 64),
        pool(), Fire(128, 32, 128), Fire(256, 32, 128),
        pool(), Fire(256, 48, 192), Fire(384, 48, 192), Fire(384, 64, 256), Fire(512, 64, 256),
    )  # fmt: skip
    return types.SimpleNamespace(features=features)


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The `lpips` package, with its own scaling, slicing, normalisation and heads, on the trunk above."""
    stub = types.ModuleType("torchvision")
    stub.models = types.SimpleNamespace(squeezenet1_1=squeezenet)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torchvision", stub)
    return pytest.importorskip("lpips", reason="pip install --no-deps -r .ci/oracles.txt")


def oracle(package: Any, tensors: dict[str, Any], a: Any, b: Any, maxval: int) -> float:
    model = package.LPIPS(net="squeeze", pnet_rand=True, verbose=False)
    left = model.load_state_dict(tensors, strict=False)
    assert not left.unexpected_keys
    assert all(name.startswith("lin") and f"lins.{name[3:]}" in tensors for name in left.missing_keys)

    def batch(x: Any) -> Any:
        return torch.from_numpy(x.astype(np.float64) / maxval * 2 - 1).permute(2, 0, 1)[None]

    with torch.no_grad():
        return float(model.double()(batch(a), batch(b)))


@pytest.mark.parametrize("size", [(17, 17), (64, 96), (75, 50), (130, 129)])
@pytest.mark.parametrize("maxval", [255, 65535])
def test_agrees_with_the_package_on_any_weights(
    package: Any, random_weights: dict[str, Any], size: tuple[int, int], maxval: int
) -> None:
    a, b = pair(*size, maxval=maxval)
    expected = oracle(package, random_weights, a, b, maxval)
    assert expected > 0.01
    assert Lpips(random_weights)(a, b, maxval) == pytest.approx(expected, rel=1e-4)


def test_agrees_with_the_package_on_the_real_weights(package: Any, weights_file: Path) -> None:
    data = pytest.importorskip("skimage.data", reason="needs scikit-image")
    a = data.astronaut()[100:300, 150:401]
    tensors = load_weights(weights_file)
    for step in (4, 16, 64):
        b = (a // step * step + step // 2).clip(0, 255).astype(np.uint8)
        mine = metrics.lpips(a, b, 255, weights_file)
        assert mine == pytest.approx(oracle(package, tensors, a, b, 255), abs=1e-5)


def test_heads_are_those_that_the_package_ships(package: Any, weights_file: Path) -> None:
    path = Path(package.__file__).parent / "weights/v0.1/squeeze.pth"
    shipped = torch.load(path, map_location="cpu", weights_only=True)
    tensors = load_weights(weights_file)
    for index in range(7):
        assert torch.equal(shipped[f"lin{index}.model.1.weight"], tensors[f"lins.{index}.model.1.weight"])
    scaling = package.lpips.ScalingLayer()
    assert torch.equal(scaling.shift, tensors["scaling_layer.shift"])
    assert torch.equal(scaling.scale, tensors["scaling_layer.scale"])


def test_properties(random_weights: dict[str, Any]) -> None:
    model = Lpips(random_weights)
    a, b = pair(40, 52)
    value = model(a, b, 255)
    assert model(a, a, 255) == 0
    assert model(b, a, 255) == pytest.approx(value, rel=1e-5)
    assert model(a.astype(np.uint16) * 257, b.astype(np.uint16) * 257, 65535) == pytest.approx(
        value, rel=1e-4
    )
    grey = model(a[..., 0], b[..., 0], 255)
    assert model(a[..., :1], b[..., :1], 255) == grey
    assert model(a[..., [0, 0, 0]], b[..., [0, 0, 0]], 255) == grey


def test_wrong_pictures_say_so(random_weights: dict[str, Any]) -> None:
    model = Lpips(random_weights)
    with pytest.raises(UsageError, match="needs 17 pixels on each side; 40x16 is less"):
        model(*pair(16, 40), 255)
    with pytest.raises(UsageError, match="not for 4 planes"):
        model(*pair(20, 20, planes=4), 255)
    with pytest.raises(UsageError, match="cannot compare"):
        model(pair(20, 20)[0], pair(20, 21)[0], 255)


# --- the weights --------------------------------------------------------------------------------


def test_where_weights_are_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given, named, data = tmp_path / "given.pt", tmp_path / "named.pt", tmp_path / "weights" / NAME
    data.parent.mkdir()
    for path in (given, named, data):
        path.touch()
    monkeypatch.setenv("WYNER_LPIPS", str(named))
    monkeypatch.setenv("WYNER_DATA", str(tmp_path))
    assert find_weights(given) == given
    assert find_weights() == named
    monkeypatch.delenv("WYNER_LPIPS")
    assert find_weights() == data
    data.unlink()
    with pytest.raises(UnavailableError, match=NAME):
        find_weights()
    monkeypatch.delenv("WYNER_DATA")
    with pytest.raises(UnavailableError, match="name the file in WYNER_LPIPS"):
        find_weights()
    with pytest.raises(UnavailableError, match=r"no file .*nothing"):
        find_weights(tmp_path / "nothing")


def test_without_pytorch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "w.pt").touch()
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(UnavailableError, match=r"wyner\[torch\]"):
        metrics.lpips(*pair(20, 20), 255, tmp_path / "w.pt")


def test_other_weights_are_refused(random_weights: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "other.pt"
    torch.save(random_weights, path)
    with pytest.raises(CorruptError, match="other weights"):
        load_weights(path)
    random_weights.pop("net.slice1.0.bias")
    torch.save(random_weights, path)
    with pytest.raises(CorruptError, match=r"net\.slice1\.0\.bias"):
        load_weights(path)
    with pytest.raises(CorruptError, match=r"net\.slice1\.0\.bias"):
        Lpips(random_weights)


def test_resaved_weights_are_the_same(weights_file: Path, tmp_path: Path) -> None:
    tensors = load_weights(weights_file)
    torch.save(
        dict(reversed(tensors.items())) | {"lin0.model.1.weight": torch.zeros(1)}, tmp_path / "again.pt"
    )
    assert load_weights(tmp_path / "again.pt").keys() == tensors.keys()


class _Trap:
    def __reduce__(self) -> Any:
        return os.mkdir, ("trapped",)


def test_hostile_files_are_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "bad.pt"
    for data in (b"", b"garbage", pickle.dumps(_Trap(), 2), pickle.dumps([1, 2], 2)):
        path.write_bytes(data)
        with pytest.raises(CorruptError, match="is not the LPIPS weights"):
            load_weights(path)
    torch.save({"a": _Trap()}, path)
    with pytest.raises(CorruptError, match="is not the LPIPS weights"):
        load_weights(path)
    assert not (tmp_path / "trapped").exists()


def test_fetching(weights_file: Path, tmp_path: Path) -> None:
    target = tmp_path / "new" / NAME
    assert fetch_weights(weights_file.as_uri(), target) == target
    assert target.read_bytes() == weights_file.read_bytes()
    assert fetch_weights("https://example.invalid/not-asked", target) == target
    assert [path.name for path in target.parent.iterdir()] == [NAME]


def test_fetching_checks_the_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"something else")
    with pytest.raises(CorruptError, match=lpips_weights.FILE_SHA256):
        fetch_weights(source.as_uri(), target)
    monkeypatch.setattr(lpips_weights, "FILE_BYTES", 4)
    with pytest.raises(CorruptError):
        fetch_weights(source.as_uri(), target)
    with pytest.raises(UsageError, match="only http, https and file"):
        fetch_weights("ftp://example.invalid/x", target)
    with pytest.raises(WynerError, match="cannot fetch"):
        fetch_weights((tmp_path / "nothing").as_uri(), target)
    with pytest.raises(WynerError, match="cannot fetch"):
        fetch_weights("http://not a host/", target)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source"]
