"""Make the golden files of the shipped learned codecs, once: every later decoder must find the same latents.

    python tools/make_learned_golden.py tests/golden/learned

Files that are there already are never replaced. hashes.json gets the SHA-256 of the latents, int32 little
endian, of each file. A model that is no longer shipped must stay beside its golden files.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
from skimage import data

import wyner
from wyner import container
from wyner.codecs import learned

PHOTO = np.ascontiguousarray(data.astronaut()[60:124, 170:267])  # by NASA, in the public domain
MODELS = ("hyperprior", "hyperprior-lpips", "hyperprior-ms-ssim", "factorised")


def latents_hash(file: bytes) -> str:
    parts = container.read(file)
    latents = learned.decode_latents(parts.payload, parts.header.width, parts.header.height)
    return hashlib.sha256(latents.astype("<i4").tobytes()).hexdigest()


def main(folder: Path) -> None:
    hashes = {}
    for model in MODELS:
        for quality in (20, 80):
            path = folder / f"{model}_q{quality}.wyn"
            if not path.exists():
                path.write_bytes(
                    wyner.encode(PHOTO, codec="learned", quality=quality, options={"model": model})
                )
            hashes[path.stem] = latents_hash(path.read_bytes())
    (folder / "hashes.json").write_text(json.dumps(hashes, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
