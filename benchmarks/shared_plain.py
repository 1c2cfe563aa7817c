"""The plain shared decoder: what it reaches by latents and learning rate, on drawn pictures and photographs.

    python benchmarks/shared_plain.py

Rows of "synthetic" are of `wyner demo shared`: its three pictures of 64x64, 1000 epochs, five seeds. Errors
are those of reconstructions rounded to 8 bits, samples in 0..1: per picture the median of the seeds, and the
greatest mean of the three pictures that any seed gave. "unseen" has codes fitted, by 1000 steps, to pictures
that a decoder of those three was not fitted to, beside the error of their mean value alone. "kodak" is the
centres, 64x64 and grey, of the 24 photographs (needs `WYNER_DATA`). Seconds are of a core, for one fit.
Writes results/shared_plain.json.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from rd import RESULTS, kodak
from step_cost import machine

from wyner import metrics
from wyner._native import LinearFit, linear_decode
from wyner.cli.demo_shared import LEARNING_RATE
from wyner.cli.synthetic import synthetic_pictures

SIZE, EPOCHS, SEEDS = 64, 1000, range(5)
LATENTS, RATES = (1, 2, 3, 8, 16), (0.01, 0.03, 0.1, 0.3)
KODAK_LATENTS = (1, 2, 3, 8, 16, 23)
Samples = npt.NDArray[np.float32]


def errors(fit: LinearFit, images: Samples) -> list[float]:
    """Mean squared error of each image, as 8 bits hold what is decoded."""
    decoded = np.round(255 * linear_decode(fit.weights, fit.bias, fit.codes))
    return [
        metrics.mse(given[None], again[None].astype(np.float64)) / 255**2
        for given, again in zip(np.round(255 * images.astype(np.float64)), decoded, strict=True)
    ]


def fitted(images: Samples, latents: int, lr: float, seed: int = 0) -> tuple[LinearFit, float]:
    """A fit and the seconds of a core that it took."""
    start = time.process_time()
    fit = LinearFit(images, latents, seed)
    fit.run(EPOCHS, lr)
    return fit, time.process_time() - start


def synthetic() -> tuple[list[str], Samples]:
    """Names, and (3, pixels) in 0..1."""
    pictures = synthetic_pictures(SIZE)
    return list(pictures), np.stack([p.pixels.ravel() / np.float32(255) for p in pictures.values()])


def row(names: list[str], images: Samples, latents: int, lr: float) -> dict[str, Any]:
    """Of all seeds; decibels are of the medians, None where that is no error at all."""
    runs = [fitted(images, latents, lr, seed) for seed in SEEDS]
    found = np.array([errors(fit, images) for fit, _ in runs])
    median = dict(zip(names, np.median(found, 0).tolist(), strict=True))
    return {
        "latents": latents,
        "lr": lr,
        "mse": {name: float(f"{value:.3g}") for name, value in median.items()},
        "psnr_db": {n: round(metrics.psnr(v, 1), 2) if v else None for n, v in median.items()},
        "worst_mean_mse": float(f"{found.mean(1).max():.3g}"),
        "core_s": round(float(np.median([seconds for _, seconds in runs])), 3),
    }


def unseen(images: Samples, latents: int) -> list[dict[str, Any]]:
    """Codes for other pictures, the decoder as the three left it."""
    gradient, wave, board = images
    square = wave.reshape(SIZE, SIZE)
    others = {
        "mean of gradient and wave": (gradient + wave) / 2,
        "negative of the checkerboard": 1 - board,
        "wave moved by a quarter of a period": np.roll(square, SIZE // 16, 1).ravel(),
        "wave turned by 90 degrees": square.T.ravel(),
    }
    decoder, _ = fitted(images, latents, LEARNING_RATE)
    rows = []
    for name, picture in others.items():
        given = np.ascontiguousarray(np.round(255 * picture)[None] / 255, np.float32)
        fit = LinearFit.of_codes(given, decoder.weights, decoder.bias)
        fit.run(EPOCHS, LEARNING_RATE)
        mse, flat = errors(fit, given)[0], float(given.astype(np.float64).var())
        rows.append(
            {"latents": latents, "picture": name, "mse": round(mse, 6), "mse_of_mean": round(flat, 6)}
        )
    return rows


def photographs() -> Samples:
    """(24, pixels): the grey centres of Kodak's pictures."""
    found = []
    for number in range(1, 25):
        grey = np.asarray(Image.fromarray(kodak(f"kodim{number:02}")).convert("L"))
        y, x = ((side - SIZE) // 2 for side in grey.shape)
        found.append(grey[y : y + SIZE, x : x + SIZE].ravel() / np.float32(255))
    return np.stack(found)


def photograph_row(images: Samples, latents: int) -> dict[str, Any]:
    """One seed; numbers of the decoder beside the samples that they stand for. Decibels of the mean error."""
    fit, seconds = fitted(images, latents, LEARNING_RATE)
    found = errors(fit, images)
    return {
        "latents": latents,
        "decoder_numbers": fit.weights.size + fit.bias.size,
        "samples": images.size,
        "mean_mse": float(f"{np.mean(found):.3g}"),
        "psnr_db": round(metrics.psnr(float(np.mean(found)), 1), 2),
        "core_s": round(seconds, 3),
    }


def main() -> None:
    argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0]).parse_args()
    names, images = synthetic()
    tables = {
        "synthetic": [row(names, images, latents, lr) for latents in LATENTS for lr in RATES],
        "unseen": unseen(images, 2) + unseen(images, 8),
        "kodak": [photograph_row(photographs(), latents) for latents in KODAK_LATENTS],
    }
    texts = []
    for name, rows in tables.items():
        print(name, *(json.dumps(r) for r in rows), sep="\n  ")
        texts.append(f'"{name}": [\n ' + ",\n ".join(json.dumps(r) for r in rows) + "]")
    facts = json.dumps({"machine": machine(), "size": SIZE, "epochs": EPOCHS, "default_lr": LEARNING_RATE})
    text = facts[:-1] + ",\n" + ",\n".join(texts) + "}\n"
    (RESULTS / "shared_plain.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
