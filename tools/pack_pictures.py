"""Pack the pictures of folders into one tar of WebP files of at most so many bytes, for training elsewhere.

    python tools/pack_pictures.py FOLDER... -o pictures.tar --megabytes 9

Every picture gets as many bytes for each of its pixels.
"""

from __future__ import annotations

import argparse
import io
import tarfile
from pathlib import Path

from PIL import Image


def packed(picture: Image.Image, most: int) -> bytes:
    """The picture as the best WebP file of at most ``most`` bytes."""
    out = io.BytesIO()
    picture.save(out, "webp", lossless=True, method=4)
    if out.tell() <= most:
        return out.getvalue()
    good, bad = 0, 101
    best = b""
    while bad - good > 1:
        quality = (good + bad) // 2
        out = io.BytesIO()
        picture.save(out, "webp", quality=quality, method=4)
        if out.tell() <= most:
            good, best = quality, out.getvalue()
        else:
            bad = quality
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("-o", dest="output", type=Path, required=True)
    parser.add_argument("--megabytes", type=float, required=True)
    parser.add_argument("--every", type=int, default=1, help="take one picture in so many")
    arguments = parser.parse_args()
    paths = sorted(path for folder in arguments.folders for path in folder.iterdir())[:: arguments.every]
    pictures = [Image.open(path).convert("RGB") for path in paths]
    pixels = sum(picture.width * picture.height for picture in pictures)
    # The tar rounds each file up to 512 bytes and adds as many.
    each = (1e6 * arguments.megabytes - 1024 * len(pictures)) / pixels
    with tarfile.open(arguments.output, "w") as shard:
        for path, picture in zip(paths, pictures, strict=True):
            data = packed(picture, int(each * picture.width * picture.height))
            member = tarfile.TarInfo(f"{path.parent.name}-{path.stem}.webp")
            member.size = len(data)
            shard.addfile(member, io.BytesIO(data))


if __name__ == "__main__":
    main()
