"""The weights of LPIPS: where they are, how they are fetched, and that they are the right ones.

The file is a PyTorch state dict with the tensors of version 0.1 of the metric on the SqueezeNet 1.1 trunk,
under the names that the `lpips` package gives them. Other weights are refused: their numbers would look the
same.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import CorruptError, UnavailableError, UsageError, WynerError

if TYPE_CHECKING:
    import torch

TENSORS_SHA256 = "f17fbf4e03786d1deea6a33d53bbbba8070fc37b4fa673bf262a60025b866c0c"
"""Digest of the tensors themselves (see ``tensors_digest``), however the file that holds them was written."""
FILE_SHA256 = "70ea21dc91e5c192bfc225f2e95035228d080bd35008733ed723ec42e4d1097e"
"""Digest of the one file that ``fetch_weights`` accepts, 2 918 334 bytes."""
FILE_BYTES = 2_918_334

FIRES = {
    "net.slice2.3": (64, 16, 64),
    "net.slice2.4": (128, 16, 64),
    "net.slice3.6": (128, 32, 128),
    "net.slice3.7": (256, 32, 128),
    "net.slice4.9": (256, 48, 192),
    "net.slice5.10": (384, 48, 192),
    "net.slice6.11": (384, 64, 256),
    "net.slice7.12": (512, 64, 256),
}
"""Of each fire module (Iandola et al. 2016, figure 1): channels in, after its squeeze, of each expansion."""


def find_weights(path: Path | str | None = None) -> Path:
    """The file of weights: ``path``, or $WYNER_LPIPS, or weights/lpips_squeeze_state.pt in $WYNER_DATA.

    The first of these that is given must exist. Raises UnavailableError when it does not or none is given.
    """
    where: Path | str | None = path or os.environ.get("WYNER_LPIPS")
    if not where and (data := os.environ.get("WYNER_DATA")):
        where = Path(data) / "weights" / "lpips_squeeze_state.pt"
    if not where:
        raise UnavailableError("LPIPS needs its weights: name the file in WYNER_LPIPS")
    if not Path(where).is_file():
        raise UnavailableError(f"LPIPS needs its weights, and there is no file {where}")
    return Path(where)


def fetch_weights(url: str, path: Path | str) -> Path:
    """Download the weights from an http, https or file URL into ``path``, unless it holds them already.

    Only the file with the digest ``FILE_SHA256`` is accepted, so it does not matter who serves it. Raises
    UsageError for another kind of URL, CorruptError for another file, WynerError when the transfer fails.
    """
    path = Path(path)
    if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == FILE_SHA256:
        return path
    from http.client import HTTPException  # these two are slow to import
    from urllib.request import urlopen

    if url.partition(":")[0] not in ("http", "https", "file"):
        raise UsageError(f"cannot fetch {url}: only http, https and file URLs")
    try:
        with urlopen(url, timeout=60) as source:
            data = source.read(FILE_BYTES + 1)
    except (OSError, ValueError, HTTPException) as error:
        raise WynerError(f"cannot fetch {url}: {error}") from None
    digest = hashlib.sha256(data).hexdigest()
    if digest != FILE_SHA256:
        raise CorruptError(f"{url} is not the LPIPS weights: SHA-256 {digest}, expected {FILE_SHA256}")
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(data)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise WynerError(f"cannot write {path}: {error}") from None
    return path


def load_weights(path: Path | str) -> dict[str, torch.Tensor]:
    """The tensors of a file of weights, by name, float32.

    Raises UnavailableError without PyTorch, and CorruptError when the file cannot be read or holds anything
    but the weights of LPIPS 0.1 with SqueezeNet. Nothing in the file is executed.
    """
    try:
        import torch
    except ImportError:
        raise UnavailableError("LPIPS needs PyTorch: pip install 'wyner[torch]'") from None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        tensors = {name: state[name].float() for name in tensor_shapes()}
    except Exception as error:  # torch.load documents none of the many types that damaged files raise
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise CorruptError(f"{path} is not the LPIPS weights: {reason}") from None
    if tensors_digest(tensors) != TENSORS_SHA256:
        raise CorruptError(f"{path} holds other weights than those of LPIPS 0.1 with SqueezeNet")
    return tensors


def tensors_digest(tensors: Mapping[str, torch.Tensor]) -> str:
    """SHA-256 (hex) over name, shape and float32 little-endian samples of all tensors, in order of names."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        array = tensors[name].numpy()
        digest.update(f"{name} {array.shape}\n".encode())
        digest.update(array.astype("<f4").tobytes())
    return digest.hexdigest()


def tensor_shapes() -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor that the metric uses."""
    shapes: dict[str, tuple[int, ...]] = {"net.slice1.0.weight": (64, 3, 3, 3), "net.slice1.0.bias": (64,)}
    for name, (inner, squeezed, expanded) in FIRES.items():
        for part, shape in (
            ("squeeze", (squeezed, inner, 1, 1)),
            ("expand1x1", (expanded, squeezed, 1, 1)),
            ("expand3x3", (expanded, squeezed, 3, 3)),
        ):
            shapes |= {f"{name}.{part}.weight": shape, f"{name}.{part}.bias": shape[:1]}
    for index, channels in enumerate((64, 128, 256, 384, 384, 512, 512)):
        shapes[f"lins.{index}.model.1.weight"] = (1, channels, 1, 1)
    return shapes | {f"scaling_layer.{name}": (1, 3, 1, 1) for name in ("shift", "scale")}
