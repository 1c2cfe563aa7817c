"""Make the golden files of the shipped learned codecs, once: every later decoder must find the same latents.

    python tools/make_learned_golden.py tests/golden/learned

Files that are there already are never replaced, nor what hashes.json tells of them: the SHA-256 of the file
and of its latents, int32 little endian, and the PSNR. A model that is no longer shipped must stay beside its
golden files.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
from skimage import data

import wyner
from wyner import container, metrics
from wyner.codecs import learned

PHOTO = np.ascontiguousarray(data.astronaut()[60:124, 170:267])  # by NASA, in the public domain
MODELS = ("hyperprior", "hyperprior-lpips", "hyperprior-ms-ssim", "factorised")


def latents_hash(file: bytes) -> str:
    parts = container.read(file)
    latents = learned.decode_latents(parts.payload, parts.header.width, parts.header.height)
    return hashlib.sha256(latents.astype("<i4").tobytes()).hexdigest()


def main(folder: Path) -> None:
    table = folder / "hashes.json"
    hashes = json.loads(table.read_text()) if table.exists() else {}
    for model in MODELS:
        for quality in (20, 80):
            path = folder / f"{model}_q{quality}.wyn"
            if path.exists():
                continue
            file = wyner.encode(PHOTO, codec="learned", quality=quality, options={"model": model})
            path.write_bytes(file)
            hashes[path.stem] = {
                "file": hashlib.sha256(file).hexdigest(),
                "latents": latents_hash(file),
                "psnr_db": round(metrics.psnr(metrics.mse(PHOTO, wyner.decode(file).pixels), 255), 2),
            }
    table.write_text(json.dumps(hashes, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
