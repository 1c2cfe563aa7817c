"""``wyner demo shared``: one decoder fitted to a set of grey pictures, a plain one and a useful one.

The plain one is a linear map and a sigmoid, with a latent code for each picture, in floats. The useful one is
the codec ``shared``, of which what counts is a file.
"""

from __future__ import annotations

import argparse
import io
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image as PilImage
from PIL import ImageDraw

from .. import api, metrics, sets
from .. import io as picture_io
from ..errors import UsageError, WynerError
from ..image import Array, Image
from ..set_container import usable_names
from .progress import ProgressLine
from .synthetic import synthetic_pictures

QUALITY, EFFORT = 70, 3
LEARNING_RATE = 0.03
"""Of Adam, for the plain decoder: the greatest at which all of 1 to 16 latents converge smoothly."""

_REPORT_EPOCHS = 10
_COLUMNS = 6  # of the sheet, before it goes on below
_CELL_WIDTH = 192  # to which small pictures are enlarged there
_LABEL_ROWS = 20
_GAP = 6


@dataclass(frozen=True)
class Picture:
    """A grey picture of the set. ``name`` begins its files' names, and is not another's."""

    name: str
    image: Image

    @property
    def samples(self) -> npt.NDArray[np.float64]:
        """(H, W) in 0..1."""
        return self.image.pixels[:, :, 0] / self.image.maxval


def demo_shared(arguments: argparse.Namespace) -> int:
    """Read or make the pictures, run both decoders on them, write the files."""
    for name, most in (("latents", 1024), ("epochs", 1_000_000)):
        if not 1 <= getattr(arguments, name) <= most:
            raise UsageError(f"--{name} must be 1..{most}, not {getattr(arguments, name)}")
    if not 0 <= arguments.seed < 1 << 32:
        raise UsageError(f"--seed must be 0..{(1 << 32) - 1}, not {arguments.seed}")
    pictures = _pictures(arguments.inputs, arguments.size)
    folder = Path(arguments.output)
    _refuse_to_replace(arguments.inputs, folder)
    folder.mkdir(parents=True, exist_ok=True)
    for picture in pictures:
        picture_io.write(folder / f"{picture.name}.pgm", picture.image, overwrite=True)
    plain_decoder(pictures, folder, arguments.latents, arguments.epochs, arguments.seed)
    print()
    quality = QUALITY if arguments.quality is None else arguments.quality
    effort = EFFORT if arguments.effort is None else arguments.effort
    useful_decoder(pictures, folder, quality, effort, arguments.threads)
    return 0


def plain_decoder(pictures: list[Picture], folder: Path, latents: int, epochs: int, seed: int) -> None:
    """Fit the plain decoder, a linear map and a sigmoid, print how it goes, and write what it decodes.

    folder gets NAME-plain.pgm, 8 bits, for every picture, and plain.png, all of them below the originals.
    """
    from .._native import linear_decode

    height, width = pictures[0].samples.shape
    print(f"plain decoder: {len(pictures)} pictures of {width}x{height}, {latents} latents each, seed {seed}")
    fit = _fit(np.stack([p.samples.ravel() for p in pictures]).astype(np.float32), latents, epochs, seed)
    decoded = linear_decode(fit.weights, fit.bias, fit.codes).reshape(-1, height, width)
    _write_decoded(
        folder, "plain", pictures, [Image.from_array(np.round(255 * v).astype(np.uint8)) for v in decoded]
    )
    pixels, codes = height * width, fit.codes.size
    print(
        f"\ndecoder: {pixels * (latents + 1)} numbers, {pixels} pixels x ({latents} weights + 1 bias); codes:"
        f" {codes} numbers, {latents} a picture; the pictures have {pixels * len(pictures)} samples"
    )


def useful_decoder(
    pictures: list[Picture], folder: Path, quality: float, effort: int, threads: int | None
) -> None:
    """Encode the pictures as a set and each alone, print what that takes, and write what the set decodes to.

    folder gets set.wyn, NAME-useful.pgm for every picture, and useful.png, all of them below the originals.
    """
    images = [picture.image for picture in pictures]
    start, line = time.monotonic(), ProgressLine("fitting")
    try:
        data = sets.encode_set(
            images, names=usable_names([p.name for p in pictures]), quality=quality, effort=effort,
            threads=threads, progress=line,
        )  # fmt: skip
    finally:
        line.close()
    seconds = time.monotonic() - start
    path = folder / "set.wyn"
    picture_io.write_atomic(path, data, overwrite=True)
    print(f"useful decoder: codec shared, quality {quality:g}, effort {effort}, fitted in {seconds:.1f} s")
    _write_decoded(folder, "useful", pictures, sets.decode_set(path.read_bytes(), threads=threads))
    facts = sets.set_info(data)
    alone = sum(len(api.encode(i, quality=quality, effort=effort, threads=threads)) for i in images)
    own = " ".join(str(picture.bytes) for picture in facts.pictures)
    print(f"{path}: {len(data)} bytes, {facts.shared_bytes} shared and {own}; a file for each takes {alone}")


def _write_decoded(folder: Path, end: str, pictures: list[Picture], decoded: list[Image]) -> None:
    """Write NAME-END.pgm for every picture and END.png; print the errors of these files, read back."""
    print("\npicture                        MSE       PSNR")
    panels: list[tuple[str, Array, Array]] = []
    for picture, image in zip(pictures, decoded, strict=True):
        path = folder / f"{picture.name}-{end}.pgm"
        picture_io.write(path, image, overwrite=True)
        again = Picture(path.name, picture_io.read(path))
        error = metrics.mse(picture.samples, again.samples)
        decibels = f"{metrics.psnr(error, 1):.2f} dB"
        print(f"{picture.name:<24} {error:>12.4e} {decibels:>10}")
        panels.append((f"{picture.name}  {decibels}", picture.samples, again.samples))
    sheet = folder / f"{end}.png"
    picture_io.write_atomic(sheet, _sheet(panels), overwrite=True)
    print(f"\nwritten: {sheet}, and {len(pictures)} PGM files beside it that end in -{end}")


def _fit(images: npt.NDArray[np.float32], latents: int, epochs: int, seed: int) -> Any:
    """A ``_native.LinearFit`` of images (K, pixels), with a line for every ten epochs printed."""
    from .._native import LinearFit

    fit = LinearFit(images, latents, seed)
    start = time.monotonic()
    for done in range(0, epochs, _REPORT_EPOCHS):
        steps = min(_REPORT_EPOCHS, epochs - done)
        loss = fit.run(steps, LEARNING_RATE)
        print(f"epoch {done + steps:>5}  loss {loss:.4e}  {time.monotonic() - start:.2f} s", flush=True)
    return fit


def _pictures(inputs: list[str], size: int) -> list[Picture]:
    """The files, or the synthetic pictures where there are none; all grey and of one size."""
    found = [(Path(path).stem, _read(path)) for path in inputs] or list(synthetic_pictures(size).items())
    for path, (_, image) in zip(inputs, found, strict=False):
        if image.channels != 1 or image.alpha is not None:
            raise UsageError(f"{path} is not a grey picture without alpha, which this demo needs")
        first = found[0][1]
        if image.pixels.shape != first.pixels.shape:
            sizes = f"{image.width}x{image.height}, {inputs[0]} is {first.width}x{first.height}"
            raise UsageError(f"{path} is {sizes}: all pictures of a set must be of one size")
    return [Picture(f"{number}-{name}", image) for number, (name, image) in enumerate(found, 1)]


def _read(path: str) -> Image:
    try:
        return picture_io.read(path)
    except WynerError as error:
        raise type(error)(f"{path}: {error}") from None


def _refuse_to_replace(inputs: list[str], folder: Path) -> None:
    """Files of an earlier demo are replaced, but not those that this one reads."""
    for path in inputs:
        if Path(path).resolve().parent == folder.resolve():
            raise UsageError(f"{path} lies in the folder for the results: choose another with -o")


def _sheet(panels: list[tuple[str, Array, Array]]) -> bytes:
    """A PNG file of labels, each above a picture as given and as decoded, (H, W) in 0..1."""
    height, width = panels[0][1].shape
    zoom = -(-_CELL_WIDTH // width)
    size = (zoom * width, zoom * height)
    step = (size[0] + _GAP, _LABEL_ROWS + 2 * (size[1] + _GAP))
    columns = min(len(panels), _COLUMNS)
    canvas = PilImage.new("L", (columns * step[0], -(-len(panels) // columns) * step[1]), "white")
    for index, (label, *pair) in enumerate(panels):
        x, y = index % columns * step[0], index // columns * step[1]
        strip = PilImage.new("L", (size[0], _LABEL_ROWS), "white")  # cuts off a label that is too long
        ImageDraw.Draw(strip).text((2, 4), label.encode("ascii", "replace").decode(), fill="black")
        canvas.paste(strip, (x, y))
        for row, samples in enumerate(pair):
            picture = PilImage.fromarray(np.round(255 * samples).astype(np.uint8))
            large = picture.resize(size, PilImage.Resampling.NEAREST)
            canvas.paste(large, (x, y + _LABEL_ROWS + row * (size[1] + _GAP)))
    out = io.BytesIO()
    canvas.save(out, "PNG")
    return out.getvalue()
