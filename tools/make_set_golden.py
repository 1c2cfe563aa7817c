"""Make the golden files of sets, with hashes of them and of their samples: tests/golden/sets.

    python tools/make_set_golden.py

Files that are there already are never replaced, nor their hashes. One is of a photograph that scikit-image
ships; the others hold random networks and latents, to the format's edges.
"""

from __future__ import annotations

import hashlib
import json
import sys
from functools import partial
from pathlib import Path

import numpy as np

import wyner
from wyner import _native, set_container
from wyner.container import Container, Header
from wyner.image import Image
from wyner.set_container import SetFile

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "tests" / "golden" / "sets"
sys.path.insert(0, str(ROOT / "tests" / "unit"))

from random_overfit import models, random_stream  # noqa: E402


def samples_hash(file: bytes) -> str:
    """Of the samples of all pictures, one after another."""
    found = hashlib.sha256()
    for image in wyner.decode_set(file):
        found.update(image.pixels.tobytes())
        found.update(b"" if image.alpha is None else image.alpha.tobytes())
    return found.hexdigest()


def photographs() -> bytes:
    """Colour and grey, alpha, 8 and 16 bits, and one picture that was added."""
    from skimage import data

    photo = np.ascontiguousarray(data.astronaut()[60:156, 160:300])
    pictures = [
        Image(photo[:40, :61]),
        Image(photo[40:80, :61], icc=b"a profile"),
        Image(photo[50:, 90:, 1:2].astype(np.uint16) * 257, alpha=photo[50:, 90:, 0].astype(np.uint16) * 3),
        Image(photo[:1, :1]),
    ]
    names = ["first", "second", "dritte Größe", "pixel"]
    file = wyner.encode_set(pictures, names=names, quality=55, effort=2, store_hash=True)
    return wyner.add_to_set(file, photo[:64, 70:], name="added", quality=55, effort=2)


def random_set(seed: int, model: int, grids: int) -> bytes:
    """Three pictures of random latents under random networks, one with its own; without names."""
    rng = np.random.default_rng(seed)
    s = random_stream(rng, 9, 9, model, grids)
    networks = _native.set_encode_networks(s.model, grids, s.fa, s.fu, s.k, s.s, s.params)
    pictures = []
    for width, height, channels, depth in ((45, 38, 3, 8), (45, 38, 3, 8), (3, 70, 1, 16)):
        t = random_stream(rng, width, height, model, grids)
        payload = _native.set_encode_latents(networks, width, height, t.latents)
        if depth == 16:
            own = t.fa, t.fu, t.k, t.s, t.params
            payload = _native.set_encode_own(networks, *own, width, height, t.latents)
        pictures.append(Container(Header(width, height, channels, depth, False, 6, 1), payload))
    return set_container.write(SetFile(6, 1, networks, tuple(pictures)))


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    makers = {"photographs": photographs}
    for model in (0, 2, len(models()) - 1):
        makers[f"random_{model}"] = partial(random_set, 40 + model, model, 1 + (2 + 3 * model) % 9)
    table = FOLDER / "hashes.json"
    hashes = json.loads(table.read_text()) if table.exists() else {}
    for name, make in makers.items():
        path = FOLDER / f"{name}.wyn"
        if not path.exists():
            file = make()
            path.write_bytes(file)
            hashes[name] = {"file": hashlib.sha256(file).hexdigest(), "samples": samples_hash(file)}
    table.write_text(json.dumps(hashes, indent=2) + "\n")


if __name__ == "__main__":
    main()
